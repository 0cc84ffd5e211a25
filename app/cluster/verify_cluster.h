// `micropay verify --cluster`: what can be proven of the databases and topics of all services together, as a
// report of the same form as that of a data folder. Nothing is changed, and the cluster may run meanwhile:
// each database is read as it was at one moment. What needs all of them at rest says so when they are not.
//
// An error is what keeps it from looking at all: a database that does not answer, or of another version.
#pragma once

#include "app/cluster/settings.h"
#include "app/verify.h"

namespace micropay::app {

struct ClusterVerifyOptions {
  std::optional<AuditHead> known_head = {};
  bool topics = true;  // look at what Kafka has, too
};

Result<VerifyReport> verify_cluster(const ClusterSettings& settings, const std::vector<Service>& services,
                                    const ClusterVerifyOptions& options, Progress& progress);

}  // namespace micropay::app
