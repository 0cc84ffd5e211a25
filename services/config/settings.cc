#include "services/config/settings.h"

#include "libs/base/settings.h"

namespace micropay::config {

ConfigSettings ConfigSettings::read(Settings& settings) {
  ConfigSettings values;
  values.listen = settings.text("config.listen", values.listen, "Address of the config service, host:port");
  values.ops_listen = settings.text("config.ops_listen", values.ops_listen,
                                    "Address of metrics and health of the config service, host:port");
  values.directory =
      settings.text("config.directory", "", "The directory whose files are served; this or config.git");
  values.git =
      settings.text("config.git", "", "The git repository that is served: a path, or https://, ssh://");
  values.git_label = settings.text("config.git_label", values.git_label,
                                   "The branch, tag or commit that is meant when none is given");
  values.work = settings.text("config.work", values.work, "A folder for the copy of a remote repository");
  values.user = settings.text("config.user", values.user, "The user name of the config service's clients");
  values.password =
      settings.secret("config.password", "The password of clients; without one, only loopback is served");
  values.operator_password =
      settings.secret("config.operator_password", "Lets the user operator encrypt, decrypt and refresh");
  values.tls = {
      .certificate = settings.text("config.tls.certificate", "", "Certificate chain, PEM; empty: plain HTTP"),
      .key = settings.text("config.tls.key", "", "Its private key, PEM"),
      .authority = settings.text("config.tls.client_authority", "",
                                 "Authority, PEM, of certificates that clients show")};
  values.key_file = settings.text(
      "config.key_file", "", "Keys of {cipher} values: 64 hexadecimal digits a line, the first encrypts");
  values.watch_interval = settings.duration("config.watch_interval", values.watch_interval,
                                            "How often the directory or repository is looked at for changes");
  values.threads = size_t(settings.integer("config.threads", int64_t(values.threads), 1, 16,
                                           "Threads that read files and make answers"));
  return values;
}

Result<void> ConfigSettings::check() const {
  const auto wrong = [](const char* field, std::string detail) {
    return fail(Code::kInvalidArgument, "invalid_setting", std::move(detail), field);
  };
  if (directory.empty() == git.empty())
    return wrong("config.directory", "give one of config.directory and config.git");
  const bool loopback =
      listen.starts_with("127.") || listen.starts_with("[::1]") || listen.starts_with("localhost:");
  if (password.empty() && !loopback)
    return wrong("config.password", "settings may hold secrets: beyond loopback, clients need a password");
  return {};
}

}  // namespace micropay::config
