// Certificates for tests, and waiting for what another thread does.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "libs/base/check.h"
#include "libs/rpc/certificates.h"
#include "libs/rpc/tls.h"

namespace micropay::rpc {

// A folder with an authority and certificates, gone at the end.
class CertificateFolder {
 public:
  CertificateFolder() {
    char path[] = "/tmp/rpc-certificates-XXXXXX";
    CHECK(mkdtemp(path) != nullptr);
    path_ = path;
  }
  ~CertificateFolder() { std::filesystem::remove_all(path_); }
  void make(const std::string& name, Time now = system_clock().now(), Duration life = kDay) const {
    const auto made = make_certificates({.folder = path_, .names = {name}, .life = life, .now = now});
    CHECK(made.has_value());
  }
  TlsFiles files(const std::string& name) const {
    return {path_ + "/" + name + ".crt", path_ + "/" + name + ".key", path_ + "/authority.crt"};
  }
  std::shared_ptr<TlsKeys> keys(const std::string& name) const {
    make(name);
    auto opened = TlsKeys::open(files(name));
    CHECK(opened.has_value());
    return *opened;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Whether it comes true before a generous deadline.
inline bool comes_true(const std::function<bool()>& condition, Duration within = 10 * kSecond) {
  const Time until = system_clock().monotonic() + within;
  while (!condition()) {
    if (system_clock().monotonic() >= until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace micropay::rpc
