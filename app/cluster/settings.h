// What a process of the cluster profile has to know besides what its services read. Declared once; a process
// reads all of it, whatever it runs, so that one file serves all.
#pragma once

#include <memory>
#include <string>

#include "libs/base/settings.h"
#include "libs/kafka/settings.h"
#include "libs/redis/redis_client.h"
#include "libs/rpc/client.h"
#include "libs/rpc/tls.h"
#include "libs/sqlserver/server_store.h"
#include "libs/trace/tracer.h"

namespace micropay::app {

struct ClusterSettings {
  explicit ClusterSettings(Settings& settings);

  // Of a service's database, by the settings' addresses with the service's name in them.
  Result<ServerStoreOptions> store_of(const std::string& service) const;
  // Null when plain text was asked for.
  Result<std::shared_ptr<rpc::TlsKeys>> open_keys() const;
  // Where a service's gRPC listens: the setting, or its contract's port.
  std::string rpc_listen(const std::string& service, bool alone) const;

  bool on;  // the cluster profile was chosen
  std::string store_url, store_owner_url, store_password;
  Duration store_lease;
  Duration start_patience;
  bool start_compare;
  Duration tick_interval;
  int64_t store_readers, cache_rows;
  std::string instance;
  std::string listen, advertise, targets;
  bool plaintext;
  rpc::TlsFiles tls;
  std::string keys_folder;
  kafka::KafkaSettings kafka;
  RedisSettings redis;
  TraceSettings trace;
};

}  // namespace micropay::app
