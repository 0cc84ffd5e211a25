// Answers of the discovery service: Eureka's REST interface below /eureka (or /eureka/v2), in XML and JSON.
// Nothing blocks: everything is in memory. Any thread.
//
//   POST   apps/{app}                    register                            204
//   PUT    apps/{app}/{id}               renew                               200, 404: register (anew)
//   DELETE apps/{app}/{id}               cancel
//   PUT    apps/{app}/{id}/status?value= override; DELETE ends it
//   PUT    apps/{app}/{id}/metadata?key=value
//   GET    apps  apps/delta  apps/{app}  apps/{app}/{id}  vips/{vip}  svips/{vip}  instances/{id}
//   POST   peerreplication/batch         from the other servers
//   GET    /actuator/health              anybody
#pragma once

#include <functional>
#include <mutex>
#include <string>

#include "libs/http/basic_access.h"
#include "libs/http/message.h"
#include "services/discovery/rules/registry.h"
#include "services/discovery/rules/replica.h"

namespace micropay::discovery {

struct DiscoverySettings;

class Api {
 public:
  struct Parts {
    const Clock& clock;
    std::function<void(Replica)> replicate;  // a change that a client made, for the other servers
  };
  Api(const DiscoverySettings& settings, Parts parts);

  HttpResponse answer(const HttpRequest& request);

  // Ends leases; how many went.
  size_t evict();
  // A change that another server tells of.
  ReplicaAnswer apply(const Replica& replica);
  // Everything, as a client gets it in JSON: for the snapshot and its reader.
  std::string all_json();
  // Takes in what another server or a snapshot has; how many. Error: malformed_body.
  Result<size_t> take_in(std::string_view json);
  std::vector<InstancePtr> all();
  InstancePtr find(std::string_view app, std::string_view id);
  uint64_t version();

 private:
  struct Call;
  enum class Form : uint8_t { kXml, kJson };
  // A full answer is made once for many who ask, until something changes or ten seconds have passed.
  struct Cached {
    uint64_t version = 0;
    Time made = 0;
    std::shared_ptr<const std::string> body;
  };

  HttpResponse route(const Call& call);
  HttpResponse read(const Call& call);
  HttpResponse change(const Call& call);
  HttpResponse register_instance(const Call& call);
  HttpResponse renew(const Call& call);
  HttpResponse change_status(const Call& call);
  HttpResponse change_metadata(const Call& call);
  HttpResponse batch(const Call& call);
  HttpResponse everything(Form form, bool delta);
  HttpResponse by_vip(const Call& call, bool secure);
  void tell(const Call& call, Replica replica);

  Parts parts_;
  BasicAccess access_;
  std::mutex mutex_;
  Registry registry_;    // guarded by mutex_
  Cached cached_[2][2];  // by form, and whether it is the delta; guarded by mutex_
};

}  // namespace micropay::discovery
