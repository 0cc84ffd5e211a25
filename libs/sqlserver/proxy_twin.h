// A TCP proxy between a store and its server that a test can break: answers that get lost, a server that is
// away, a network that swallows everything.
#pragma once

#include <atomic>
#include <list>
#include <mutex>
#include <thread>

#include "libs/sqlserver/sql_address.h"

namespace micropay::test {

class Proxy {
 public:
  explicit Proxy(const SqlAddress& server);
  ~Proxy();
  // The same database through the proxy. Without TLS, as it could be there.
  SqlAddress address() const;

  // What the server says from now on does not arrive, until restore() ends the connections that it was said
  // on. They are not ended at once: MariaDB answers statement by statement, and would not carry out those
  // that follow.
  void lose_answers() { losing_ = true; }
  void refuse(bool refuse);                     // ends all connections, and new ones at once
  void stall(bool stall) { stalled_ = stall; }  // takes everything and hands on nothing
  // Of each connection, after so many bytes more: as a process that is stopped while it sends.
  void stop_clients_after(int64_t bytes) { passing_ = bytes; }
  void restore() { losing_ = false, stalled_ = false, refuse(false); }
  size_t lost() const { return lost_; }

 private:
  struct Pair {
    int client = -1, server = -1;
    std::thread thread;
  };
  void accept_all();
  void carry(Pair& pair);
  int connect_server() const;

  const SqlAddress server_;
  int listener_ = -1;
  uint16_t port_ = 0;
  std::atomic<bool> losing_{false}, refusing_{false}, stalled_{false}, stopping_{false};
  std::atomic<int64_t> passing_{INT64_MAX};
  std::atomic<size_t> lost_{0};
  std::mutex mutex_;
  std::list<Pair> pairs_;
  std::thread acceptor_;
};

}  // namespace micropay::test
