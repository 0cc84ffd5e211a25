// Starts redis-server from the PATH.
#include "libs/redis/redis_twin.h"

#include <arpa/inet.h>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libs/base/check.h"

extern char** environ;

namespace micropay {
namespace {

uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof address;
  CHECK(::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0);
  CHECK(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  ::close(fd);
  return ntohs(address.sin_port);
}

}  // namespace

RedisOptions shared_redis(uint32_t database) {
  auto target =
      RedisTarget::parse(fmt::format("redis://{}/{}", std::getenv("MICROPAY_TEST_REDIS"), database));
  CHECK(target.has_value());
  auto connection = RedisConnection::open(*target, "test", 5 * kSecond, -1);
  CHECK(connection.has_value());
  connection->append({"FLUSHDB"});
  CHECK(connection->write_some().has_value());
  connection->wait(5 * kSecond, -1);
  return {.target = *target, .name = "test"};
}

RedisProcess::RedisProcess(std::vector<std::string> arguments)
    : arguments_(std::move(arguments)), port_(free_port()) {
  char pattern[] = "/tmp/micropay-redis-XXXXXX";
  folder_ = ::mkdtemp(pattern);
  start();
}

RedisProcess::~RedisProcess() {
  kill();
  std::filesystem::remove_all(folder_);
}

void RedisProcess::start() {
  std::vector<std::string> words = {
      "redis-server", "--port", fmt::format("{}", port_), "--bind", "127.0.0.1", "--save", "",
      "--dir",        folder_};
  words.insert(words.end(), arguments_.begin(), arguments_.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, (folder_ + "/log").c_str(), O_WRONLY | O_CREAT | O_APPEND,
                                   0600);
  CHECK(::posix_spawnp(&pid_, argv[0], &actions, nullptr, argv.data(), environ) == 0);
  posix_spawn_file_actions_destroy(&actions);
}

void RedisProcess::kill() {
  if (pid_ == 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(std::exchange(pid_, 0), nullptr, 0);
}

void RedisProcess::pause() { ::kill(pid_, SIGSTOP); }
void RedisProcess::resume() { ::kill(pid_, SIGCONT); }

RedisOptions RedisProcess::options() const {
  return {.target = {.port = port_}, .name = "test", .longest_pause = 200 * kMillisecond};
}

}  // namespace micropay
