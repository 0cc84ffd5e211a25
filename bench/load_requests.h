// What bench_load sends: every request is made beforehand, and sending one copies some bytes into it at most.
//   payments   POST /api/v1/payments from and to random wallets, each with an idempotency key of its own
//   requests   lines "VERB PATH TOKEN BODY" of a file, drawn at random; TOKEN or BODY may be "-" for none
#pragma once

#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace micropay::bench {

[[noreturn]] inline void stop(const std::string& why) {
  std::cerr << "bench: " << why << "\n";
  std::exit(2);
}

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed | 1) {}
  uint64_t next() {  // xorshift64*
    state_ ^= state_ >> 12, state_ ^= state_ << 25, state_ ^= state_ >> 27;
    return state_ * 0x2545F4914F6CDD1DULL;
  }
  size_t below(size_t end) { return static_cast<size_t>((next() >> 16) % end); }

 private:
  uint64_t state_;
};

class Requests {
 public:
  virtual ~Requests() = default;
  // Good until the next call.
  virtual std::string_view next() = 0;
};

inline std::string request_text(std::string_view verb, std::string_view path, std::string_view token,
                                std::string_view headers, std::string_view body) {
  std::string out;
  out.append(verb).append(" ").append(path).append(" HTTP/1.1\r\nHost: 127.0.0.1\r\n").append(headers);
  if (token != "-") out.append("Authorization: Bearer ").append(token).append("\r\n");
  if (body != "-") {
    out.append("Content-Type: application/json\r\nContent-Length: ");
    out.append(std::to_string(body.size())).append("\r\n\r\n").append(body);
  } else {
    out.append("\r\n");
  }
  return out;
}

// Lines "TOKEN ACCOUNT", a wallet each. A request a payer, with room for the key and the payee.
class Payments final : public Requests {
 public:
  Payments(const std::string& file, std::string merchant, uint64_t seed)
      : random_(seed), merchant_(std::move(merchant)) {
    std::snprintf(key_.data(), key_.size(), "%016llx", static_cast<unsigned long long>(random_.next()));
    std::ifstream lines(file);
    for (std::string token, account; lines >> token >> account;) add(token, account);
    if (accounts_.size() < 2) stop(file + " needs lines of a token and an account");
  }

  std::string_view next() override {
    size_t payer = random_.below(accounts_.size());
    while (accounts_[payer] == merchant_) payer = random_.below(accounts_.size());
    size_t payee = payer;
    while (payee == payer) payee = random_.below(accounts_.size());
    Wallet& wallet = wallets_[payer];
    next_key();
    std::memcpy(wallet.request.data() + wallet.key_at, key_.data(), kKeySize);
    const std::string& to = merchant_.empty() ? accounts_[payee] : merchant_;
    std::memcpy(wallet.request.data() + wallet.payee_at, to.data(), to.size());
    return wallet.request;
  }

 private:
  static constexpr size_t kKeySize = 32;  // 16 digits of this run, 16 of this request
  struct Wallet {
    std::string request;
    size_t key_at, payee_at;
  };

  void add(const std::string& token, const std::string& account) {
    const std::string key(kKeySize, '0'), payee(account.size(), '?');
    const std::string body = R"({"payerAccountId":")" + account + R"(","payeeAccountId":")" + payee +
                             R"(","amount":{"currency":"EUR","value":"0.01"},"description":"bench"})";
    Wallet wallet{request_text("POST", "/api/v1/payments", token, "Idempotency-Key: " + key + "\r\n", body),
                  0, 0};
    wallet.key_at = wallet.request.find(key);
    wallet.payee_at = wallet.request.rfind(payee);
    wallets_.push_back(std::move(wallet));
    accounts_.push_back(account);
  }

  void next_key() {
    ++count_;
    for (int digit = 0; digit < 16; ++digit)
      key_[kKeySize - 1 - static_cast<size_t>(digit)] = "0123456789abcdef"[(count_ >> (4 * digit)) & 15];
  }

  Random random_;
  std::string merchant_;
  std::string key_ = std::string(kKeySize + 1, '0');
  uint64_t count_ = 0;
  std::vector<Wallet> wallets_;
  std::vector<std::string> accounts_;
};

class Listed final : public Requests {
 public:
  Listed(const std::string& file, uint64_t seed) : random_(seed) {
    std::ifstream lines(file);
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string verb, path, token, body;
      words >> verb >> path >> token >> std::ws;
      std::getline(words, body);
      if (body.empty()) stop(file + ": expected VERB PATH TOKEN BODY, got " + line.substr(0, 60));
      requests_.push_back(request_text(verb, path, token, "", body));
    }
    if (requests_.empty()) stop(file + " has no requests");
  }
  std::string_view next() override { return requests_[random_.below(requests_.size())]; }

 private:
  Random random_;
  std::vector<std::string> requests_;
};

}  // namespace micropay::bench
