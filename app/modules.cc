// The table of services: a new one is a line in kModules.
#include "app/modules.h"

#include "app/console.h"
#include "app/services.h"  // made by CMakeLists.txt: every services/*/service.h

namespace micropay::app {
namespace {

using Module = Service (*)(const Parts&);

// clang-format off: a line a service
constexpr Module kModules[] = {
    user_service,
    account_service,
    payment_service,
    transaction_service,
    balance_service,
    fraud_service,
    notification_service,
    audit_service,
};
// clang-format on

}  // namespace

Result<std::vector<Service>> make_services(const Parts& parts, const std::vector<std::string>& names) {
  std::vector<Service> services;
  for (const Module make : kModules) services.push_back(make(parts));
  if (!names.empty()) TRY(keep_only(services, names));
  return services;
}

Result<void> keep_only(std::vector<Service>& services, const std::vector<std::string>& names) {
  std::vector<std::string> known;
  for (const Service& service : services) known.push_back(service.name);
  for (const std::string& name : names) {
    if (std::ranges::count(known, name) != 0) continue;
    const std::string meant = nearest(name, known);
    return fail(Code::kInvalidArgument, "unknown_service",
                fmt::format("there is no service \"{}\"{}; the services are {}", name,
                            meant.empty() ? "" : fmt::format(", did you mean \"{}\"?", meant),
                            fmt::join(known, ", ")),
                "--services");
  }
  std::erase_if(services,
                [&](const Service& service) { return std::ranges::count(names, service.name) == 0; });
  return {};
}

std::vector<std::string> split_names(const std::vector<std::string>& lists) {
  std::vector<std::string> names;
  for (const std::string& list : lists) {
    for (size_t begin = 0; begin <= list.size();) {
      const size_t end = std::min(list.find(',', begin), list.size());
      std::string name = list.substr(begin, end - begin);
      name.erase(0, name.find_first_not_of(' '));
      name.erase(name.find_last_not_of(' ') + 1);
      if (!name.empty()) names.push_back(std::move(name));
      begin = end + 1;
    }
  }
  return names;
}

}  // namespace micropay::app
