// The control socket: what is asked arrives, answers and errors come back whole, and nobody else gets in.
#include "app/control.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "app/data_folder.h"

namespace micropay::app {
namespace {

ControlReply answer(std::string text) {
  ControlReply reply;
  reply.set_done(true);
  reply.set_answer(std::move(text));
  return reply;
}

ControlRequest request(std::string command) {
  ControlRequest request;
  request.set_command(std::move(command));
  return request;
}

class ControlTest : public testing::Test {
 protected:
  ScratchFolder folder_ = ScratchFolder::make().value();
  const std::string& data_ = folder_.path();
};

TEST_F(ControlTest, NobodyAnswersWhereNobodyRuns) {
  EXPECT_FALSE(ControlClient::connect(data_));
  EXPECT_FALSE(ControlClient::connect("/no/such/folder"));
}

TEST_F(ControlTest, CarriesRequestsProgressAndAnswers) {
  ControlServer server(data_, [](const ControlRequest& request, const Reply& reply) {
    for (int i = 1; i <= 3; ++i) {
      ControlReply progress;
      progress.set_permille(i * 100);
      reply(progress);
    }
    reply(answer(request.command() + ":" + request.request()));
  });
  ASSERT_TRUE(server.start());
  struct stat info{};
  ASSERT_EQ(stat((data_ + "/control.sock").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);

  auto client = ControlClient::connect(data_);
  ASSERT_TRUE(client);
  ControlRequest ask = request("call");
  ask.set_request(R"({"password":"a \"quoted\" secret"})");
  std::vector<int> seen;
  const auto reply =
      client->ask(ask, [&](const ControlReply& progress) { seen.push_back(progress.permille()); });
  ASSERT_TRUE(reply) << reply.error().detail;
  EXPECT_EQ(reply->answer(), R"(call:{"password":"a \"quoted\" secret"})");
  EXPECT_EQ(seen, (std::vector{100, 200, 300}));
}

TEST_F(ControlTest, ErrorsComeBackWhole) {
  const Error error{Code::kAlreadyExists, "email_taken", "that address is taken", "email", {}};
  ControlServer server(data_, [&](const ControlRequest&, const Reply& reply) { reply(failed_reply(error)); });
  ASSERT_TRUE(server.start());
  const auto reply = ControlClient::connect(data_)->ask(request("call"));
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::kAlreadyExists);
  EXPECT_EQ(reply.error().reason, "email_taken");
  EXPECT_EQ(reply.error().detail, "that address is taken");
  EXPECT_EQ(reply.error().field, "email");
}

TEST_F(ControlTest, ReplacesTheSocketOfAKilledProcess) {
  {
    ControlServer killed(data_, {});
  }
  const int left_over = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  std::snprintf(address.sun_path, sizeof(address.sun_path), "%s/control.sock", data_.c_str());
  ASSERT_EQ(bind(left_over, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  close(left_over);
  EXPECT_FALSE(ControlClient::connect(data_));
  ControlServer server(data_, [](const ControlRequest&, const Reply& reply) { reply(answer("here")); });
  ASSERT_TRUE(server.start());
  EXPECT_EQ(ControlClient::connect(data_)->ask(request("stats"))->answer(), "here");
}

TEST_F(ControlTest, RemovesTheSocketAtItsEnd) {
  {
    ControlServer server(data_, {});
    ASSERT_TRUE(server.start());
    EXPECT_TRUE(std::filesystem::exists(data_ + "/control.sock"));
  }
  EXPECT_FALSE(std::filesystem::exists(data_ + "/control.sock"));
}

// A sockaddr_un holds 107 bytes of path; data folders may lie deeper.
TEST_F(ControlTest, WorksInAFolderWithALongPath) {
  const std::string deep = data_ + "/" + std::string(120, 'd');
  std::filesystem::create_directory(deep);
  ControlServer server(deep, [](const ControlRequest&, const Reply& reply) { reply(answer("deep")); });
  ASSERT_TRUE(server.start());
  EXPECT_EQ(ControlClient::connect(deep)->ask(request("stats"))->answer(), "deep");
}

TEST_F(ControlTest, ServesSeveralAtOnceAndOutlivesRudeClients) {
  std::atomic<int> served{0};
  ControlServer server(data_, [&](const ControlRequest&, const Reply& reply) {
    ++served;
    reply(answer("ok"));
  });
  ASSERT_TRUE(server.start());
  {
    const auto silent = ControlClient::connect(data_);
  }  // connects and goes away
  std::vector<std::thread> clients;
  clients.reserve(8);
  for (int i = 0; i < 8; ++i)
    clients.emplace_back([&] { EXPECT_TRUE(ControlClient::connect(data_)->ask(request("stats"))); });
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(served, 8);
}

}  // namespace
}  // namespace micropay::app
