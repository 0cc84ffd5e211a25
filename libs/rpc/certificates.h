// Makes a development authority and certificates below it: EC P-256, for both sides of mutual TLS, with the
// names that libs/rpc/tls.h reads. In production an authority of one's own signs the same names.
#pragma once

#include <string>
#include <vector>

#include "libs/base/error.h"
#include "libs/base/time.h"

namespace micropay::rpc {

struct CertificateOptions {
  std::string folder;                   // made when it is missing
  std::vector<std::string> names = {};  // "payment"; "payment+balance" for a process of both
  std::vector<std::string> hosts = {};  // host names and addresses, beside this machine's own
  Duration life = 90 * kDay;
  Time now = 0;
  std::string trust_domain = "micropay";
};

// Writes authority.crt and authority.key unless they are there, and for each name NAME.crt and NAME.key,
// anew; keys are readable by their owner alone, and a file is replaced in one step, so that running processes
// may take it. Returns the paths written. Errors: authority_unreadable, cannot_write, invalid_name.
Result<std::vector<std::string>> make_certificates(const CertificateOptions& options);

}  // namespace micropay::rpc
