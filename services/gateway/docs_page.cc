// The reference page; see docs_*.cc for its parts.
#include "services/gateway/pages.h"

namespace micropay::gateway {
std::string reference_page() { return "<!doctype html><title>MicroPay</title>"; }
}  // namespace micropay::gateway
