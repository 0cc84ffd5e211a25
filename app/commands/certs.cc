// certs: a development authority and certificates for the processes of a cluster.
#include "app/commands/commands.h"
#include "app/console.h"
#include "libs/contract/model.h"
#include "libs/rpc/certificates.h"

namespace micropay::app {
namespace {

constexpr int64_t kMostDays = 3650;

Result<int64_t> days_of(const std::string& text) {
  const bool digits = !text.empty() && text.size() < 6 && text.find_first_not_of("0123456789") == text.npos;
  const int64_t days = digits ? std::stoll(text) : 0;
  if (days >= 1 && days <= kMostDays) return days;
  return fail(Code::kInvalidArgument, "invalid_days",
              fmt::format("--days takes a number from 1 to {}, not \"{}\"", kMostDays, text));
}

// Every service, the gateway, and the operator whose command line it is.
std::vector<std::string> everybody() {
  std::vector<std::string> names = {"gateway", "operator"};
  for (const contract::Service* service : contract::model().services())
    if (service->port != 0 && service->name != "gateway") names.push_back(service->name);
  return names;
}

int certs(const Arguments& arguments) {
  const auto days = days_of(arguments.text("--days"));
  if (!days) {
    print_error("certs", days.error());
    return kUsage;
  }
  std::vector<std::string> names = arguments.all("SERVICE");
  if (names.empty()) names = everybody();
  const auto written = rpc::make_certificates({.folder = arguments.text("--out"),
                                               .names = std::move(names),
                                               .hosts = arguments.all("--host"),
                                               .life = *days * kDay,
                                               .now = system_clock().now()});
  if (!written) {
    print_error("certs", written.error());
    return written.error().code == Code::kInvalidArgument ? kUsage : kFailed;
  }
  for (const std::string& path : *written) fmt::print("{}\n", path);
  return kOk;
}

}  // namespace

const CommandInfo kCertsCommand{
    .path = "certs",
    .summary = "Makes certificates for the processes of a cluster",
    .description =
        "Processes of a cluster show each other a certificate, and what one may call follows from the "
        "service "
        "that its certificate names: the gateway calls on behalf of users, a service what other services "
        "offer it, the operator what is for the command line.\n"
        "This makes an authority of your own in DIR, once, and below it a certificate and a key (NAME.crt, "
        "NAME.key) for each SERVICE, or for all. Run again before they end: running processes take renewed "
        "files within "
        "seconds. A process of several services gets one certificate for all of them: payment+balance.\n"
        "Whoever has authority.key can be any service: keep it off the hosts that only need authority.crt. "
        "In "
        "production an authority of yours signs the same names: a URI spiffe://micropay/SERVICE, or a DNS "
        "name SERVICE.micropay.",
    .options = {{.name = "--out", .value = "DIR", .help = "Where", .standard = "certs"},
                {.name = "--days", .value = "N", .help = "How long the certificates hold", .standard = "90"},
                {.name = "--host",
                 .value = "NAME",
                 .help = "A host name or address that they are for, beside localhost",
                 .repeatable = true},
                {.name = "SERVICE", .help = "Whose; all when left out", .repeatable = true}},
    .examples =
        "micropay certs\n"
        "micropay certs --out /etc/micropay/certs --days 30 --host pay1.example payment\n"
        "micropay certs gateway payment+balance",
    .exit_codes =
        "0 written, 1 a file cannot be written, 2 wrong arguments, or the authority in DIR is not readable",
    .run = certs};

}  // namespace micropay::app
