#include "services/config/git_command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace micropay::config {
namespace {

constexpr size_t kMaxError = 4 << 10;

std::unexpected<Error> failed(std::string detail) {
  return fail(Code::kUnavailable, "backend_unavailable", std::move(detail));
}

class Pipe {
 public:
  Pipe() {
    if (pipe2(ends_, O_CLOEXEC) != 0) ends_[0] = ends_[1] = -1;
  }
  ~Pipe() { close(0), close(1); }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  int end(int which) const { return ends_[which]; }
  void close(int which) {
    if (ends_[which] >= 0) ::close(std::exchange(ends_[which], -1));
  }
  void keep_from_blocking(int which) const { fcntl(ends_[which], F_SETFL, O_NONBLOCK); }

 private:
  int ends_[2];
};

// Of our own environment only what transports need.
std::vector<std::string> environment() {
  std::vector<std::string> variables = {"GIT_TERMINAL_PROMPT=0",
                                        "GIT_CONFIG_NOSYSTEM=1",
                                        "GIT_CONFIG_GLOBAL=/dev/null",
                                        "GIT_OPTIONAL_LOCKS=0",
                                        "GIT_SSH_COMMAND=ssh -oBatchMode=yes",
                                        "LC_ALL=C"};
  for (const char* name : {"PATH", "HOME", "SSH_AUTH_SOCK", "HTTPS_PROXY", "https_proxy", "NO_PROXY",
                           "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"})
    if (const char* value = std::getenv(name)) variables.push_back(fmt::format("{}={}", name, value));
  return variables;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  all.reserve(texts.size() + 1);
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

struct Child {
  pid_t pid = -1;
  Pipe in, out, error;

  bool spawn(const std::vector<std::string>& arguments);
  int wait() const {
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
};

bool Child::spawn(const std::vector<std::string>& arguments) {
  if (in.end(0) < 0 || out.end(0) < 0 || error.end(0) < 0) return false;
  std::vector<std::string> all = {"git",
                                  "-c",
                                  "core.hooksPath=/dev/null",
                                  "-c",
                                  "core.fsmonitor=false",
                                  "-c",
                                  "protocol.ext.allow=never",
                                  "-c",
                                  "safe.directory=*",
                                  "-c",
                                  "gc.auto=0"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  auto variables = environment();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.end(0), 0);
  posix_spawn_file_actions_adddup2(&actions, out.end(1), 1);
  posix_spawn_file_actions_adddup2(&actions, error.end(1), 2);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // A group of its own, so that what it starts is killed with it; and no signals blocked, as our threads
  // have.
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  const int failure =
      posix_spawnp(&pid, "git", &actions, &attributes, pointers(all).data(), pointers(variables).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  in.close(0), out.close(1), error.close(1);
  return failure == 0;
}

// False when the stream has ended.
bool read_some(Pipe& pipe, std::string& to, size_t most) {
  char bytes[16 << 10];
  const ssize_t count = ::read(pipe.end(0), bytes, sizeof bytes);
  if (count < 0) return errno == EAGAIN || errno == EINTR;
  to.append(bytes, std::min(size_t(count), most - std::min(most, to.size())));
  if (count == 0) pipe.close(0);
  return count > 0;
}

// Writes and reads until both streams have ended. False: the time is up, or there is too much.
bool converse(Child& child, const std::string& input, GitRun& run, const GitLimits& limits) {
  const Time end = system_clock().monotonic() + limits.timeout;
  size_t written = 0;
  child.in.keep_from_blocking(1);
  if (input.empty()) child.in.close(1);
  while (child.out.end(0) >= 0 || child.error.end(0) >= 0) {
    pollfd waiting[] = {
        {child.in.end(1), POLLOUT, 0}, {child.out.end(0), POLLIN, 0}, {child.error.end(0), POLLIN, 0}};
    const Duration left = end - system_clock().monotonic();
    if (left <= 0 || run.out.size() >= limits.max_out_bytes) return false;
    if (poll(waiting, 3, int(left / kMillisecond) + 1) < 0 && errno != EINTR) return false;
    if (waiting[0].revents != 0) {
      const ssize_t count = ::write(child.in.end(1), input.data() + written, input.size() - written);
      if (count > 0) written += size_t(count);
      if (written == input.size() || (count < 0 && errno != EAGAIN && errno != EINTR)) child.in.close(1);
    }
    if (waiting[1].revents != 0) read_some(child.out, run.out, limits.max_out_bytes);
    if (waiting[2].revents != 0) read_some(child.error, run.error, kMaxError);
  }
  return true;
}

}  // namespace

Result<GitRun> run_git(const std::vector<std::string>& arguments, const std::string& input,
                       GitLimits limits) {
  Child child;
  if (!child.spawn(arguments)) return failed("the git command cannot be started: is it installed?");
  GitRun run;
  const bool whole = converse(child, input, run, limits);
  if (!whole) kill(-child.pid, SIGKILL);
  run.status = child.wait();
  if (!whole) return failed("git did not end in time, or said more than it may");
  return run;
}

}  // namespace micropay::config
