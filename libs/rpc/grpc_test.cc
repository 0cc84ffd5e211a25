// That it is gRPC: the gRPC C++ library calls our server, and our client calls its server, over TLS and in
// plain text.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor_database.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <fstream>
#include <sstream>

#include "contracts/rpc.pb.h"
#include "libs/rpc/rpc_twin.h"
#include "libs/rpc/wire.h"

namespace micropay::rpc {
namespace {

std::string file(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

grpc::SslCredentialsOptions peer_credentials(const TlsFiles& files) {
  return {file(files.authority), file(files.key), file(files.certificate)};
}

grpc::ByteBuffer bytes_of(const google::protobuf::Message& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return {&slice, 1};
}

template <typename T>
T message_in(const grpc::ByteBuffer& buffer) {
  T message;
  grpc::Slice slice;
  if (buffer.DumpToSingleSlice(&slice).ok()) message.ParseFromArray(slice.begin(), int(slice.size()));
  return message;
}

// The library as a caller.
struct Peer {
  explicit Peer(const std::string& address, std::shared_ptr<grpc::ChannelCredentials> credentials)
      : channel(grpc::CreateChannel(address, std::move(credentials))), stub(channel) {}

  template <typename Response>
  grpc::Status call(const std::string& path, const google::protobuf::Message& request, Response* response) {
    const grpc::ByteBuffer body = bytes_of(request);
    auto reader = stub.PrepareUnaryCall(&prepare(), path, body, &queue);
    grpc::ByteBuffer answer;
    grpc::Status status;
    reader->StartCall();
    reader->Finish(&answer, &status, this);
    wait();
    if (status.ok()) *response = message_in<Response>(answer);
    return status;
  }
  grpc::ClientContext& prepare() {
    context = std::make_unique<grpc::ClientContext>();
    context->set_deadline(std::chrono::system_clock::now() + timeout);
    if (!metadata.empty()) context->AddMetadata(std::string(kContextHeader), metadata);
    return *context;
  }
  bool wait() {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  }
  void as(Principal principal, const std::string& caller = "gateway") {
    Command command;
    command.principal = std::move(principal);
    metadata = encode_context(command, caller);  // the library encodes what is binary by itself
  }

  std::shared_ptr<grpc::Channel> channel;
  grpc::GenericStub stub;
  grpc::CompletionQueue queue;
  std::unique_ptr<grpc::ClientContext> context;
  std::string metadata;
  std::chrono::milliseconds timeout{5'000};
};

constexpr const char* kCreate = "/micropay.AccountService/CreateAccount";

struct TheLibraryCallsUs : testing::Test {
  TestServer server;
  Peer peer{server.address(), grpc::InsecureChannelCredentials()};
};

TEST_F(TheLibraryCallsUs, AndIsAnswered) {
  peer.as(anna());
  Account made;
  ASSERT_TRUE(peer.call(kCreate, new_account("a"), &made).ok());
  EXPECT_EQ(made.user_id(), anna().user_id);
  const std::string large(1 << 20, 'x');  // more than one window of either side
  server.conduct->large = large;
  ASSERT_TRUE(peer.call(kCreate, new_account("large"), &made).ok());
  EXPECT_EQ(made.name(), large);
}

TEST_F(TheLibraryCallsUs, AndUnderstandsErrors) {
  server.conduct->error = {.code = Code::kPaymentRequired,
                           .reason = "insufficient_funds",
                           .detail = "No \xe2\x82\xac.",
                           .extensions = {{"paymentId", "p-1"}}};
  peer.as(anna());
  Account made;
  const grpc::Status refused = peer.call(kCreate, new_account("fail"), &made);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(refused.error_message(), "insufficient_funds: No \xe2\x82\xac.");
  RpcStatus details;
  ASSERT_TRUE(details.ParseFromString(refused.error_details()));
  RpcError whole;
  ASSERT_TRUE(details.details(0).UnpackTo(&whole));
  EXPECT_EQ(whole.extensions(0).value(), "p-1");

  EXPECT_EQ(peer.call(kCreate, new_account(std::string(9 << 20, 'x')), &made).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(peer.call("/micropay.AccountService/Nothing", new_account("a"), &made).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
  peer.metadata = "nonsense";
  EXPECT_EQ(peer.call(kCreate, new_account("a"), &made).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  peer.metadata.clear();
  EXPECT_EQ(peer.call(kCreate, new_account("a"), &made).error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(TheLibraryCallsUs, AndItsDeadlineHolds) {
  server.conduct->gate.close();
  peer.as(anna());
  peer.timeout = std::chrono::milliseconds(200);
  Account made;
  EXPECT_EQ(peer.call(kCreate, new_account("wait"), &made).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_F(TheLibraryCallsUs, AndAsksForOurHealth) {
  RpcHealthRequest request;
  RpcHealthAnswer answer;
  for (const char* service : {"", "account", "micropay.AccountService"}) {
    request.set_service(service);
    ASSERT_TRUE(peer.call("/grpc.health.v1.Health/Check", request, &answer).ok()) << service;
    EXPECT_EQ(answer.status(), 1) << service;
  }
  request.set_service("payment");
  EXPECT_EQ(peer.call("/grpc.health.v1.Health/Check", request, &answer).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

// A stream both ways, as the library drives it.
struct Stream {
  Stream(Peer& with, const std::string& path)
      : peer(with), stream(with.stub.PrepareCall(&with.prepare(), path, &with.queue)) {
    stream->StartCall(this);
    peer.wait();
  }
  void write(const google::protobuf::Message& message) {
    stream->Write(bytes_of(message), this);
    peer.wait();
  }
  template <typename T>
  T read() {
    grpc::ByteBuffer buffer;
    stream->Read(&buffer, this);
    EXPECT_TRUE(peer.wait());
    return message_in<T>(buffer);
  }
  void end_writing() {
    stream->WritesDone(this);
    peer.wait();
  }
  grpc::Status finish() {
    grpc::Status status;
    stream->Finish(&status, this);
    peer.wait();
    return status;
  }
  Peer& peer;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream;
};

TEST_F(TheLibraryCallsUs, AndWatchesOurHealth) {
  Stream watch(peer, "/grpc.health.v1.Health/Watch");
  RpcHealthRequest request;
  request.set_service("account");
  watch.write(request);
  watch.end_writing();
  EXPECT_EQ(watch.read<RpcHealthAnswer>().status(), 1);
  server.engine.drain(kSecond);
  EXPECT_EQ(watch.read<RpcHealthAnswer>().status(), 2);
}

TEST_F(TheLibraryCallsUs, AndReadsOurContractsByReflection) {
  for (const char* version : {"v1", "v1alpha"}) {
    Stream reflection(peer,
                      fmt::format("/grpc.reflection.{}.ServerReflection/ServerReflectionInfo", version));
    RpcReflectionRequest list;
    list.set_list_services("");
    reflection.write(list);
    const auto services = reflection.read<RpcReflectionAnswer>().services();
    EXPECT_THAT(services.service(),
                testing::Contains(testing::Property(&RpcServiceName::name, "micropay.AccountService")));

    RpcReflectionRequest symbol;
    symbol.set_file_containing_symbol("micropay.AccountService");
    reflection.write(symbol);
    // What came is enough to build the service from, by itself.
    google::protobuf::SimpleDescriptorDatabase database;
    const auto files = reflection.read<RpcReflectionAnswer>().files();
    for (const std::string& bytes : files.file_descriptor_proto()) {
      google::protobuf::FileDescriptorProto proto;
      ASSERT_TRUE(proto.ParseFromString(bytes));
      EXPECT_TRUE(database.Add(proto)) << proto.name();
    }
    google::protobuf::DescriptorPool pool(&database);
    EXPECT_NE(pool.FindMethodByName("micropay.AccountService.CreateAccount"), nullptr);

    RpcReflectionRequest unknown;
    unknown.set_file_containing_symbol("micropay.Nothing");
    reflection.write(unknown);
    EXPECT_EQ(reflection.read<RpcReflectionAnswer>().error().error_code(), int(grpc::StatusCode::NOT_FOUND));
    reflection.end_writing();
    EXPECT_TRUE(reflection.finish().ok());
  }
}

TEST(TheLibrary, CallsUsOverMutualTls) {
  const CertificateFolder folder;
  TestServer server({.keys = folder.keys("account")});
  folder.make("gateway");
  Peer gateway(server.address(), grpc::SslCredentials(peer_credentials(folder.files("gateway"))));
  gateway.as(anna(), "");
  Account made;
  EXPECT_TRUE(gateway.call(kCreate, new_account("a"), &made).ok());
  Peer nobody(server.address(), grpc::SslCredentials({file(folder.files("gateway").authority), "", ""}));
  nobody.as(anna());
  EXPECT_EQ(nobody.call(kCreate, new_account("a"), &made).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(server.conduct->creations, 1);
}

// The library as the one that is called: it says what the name of the account asks for.
class PeerServer : public grpc::CallbackGenericService {
 public:
  explicit PeerServer(std::shared_ptr<grpc::ServerCredentials> credentials) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", std::move(credentials), &port_);
    builder.RegisterCallbackGenericService(this);
    grpc::EnableDefaultHealthCheckService(true);
    server_ = builder.BuildAndStart();
    server_->GetHealthCheckService()->SetServingStatus("account", true);
  }
  ~PeerServer() override { server_->Shutdown(std::chrono::system_clock::now()); }
  std::string address() const { return fmt::format("127.0.0.1:{}", port_); }

 private:
  struct Reactor : grpc::ServerGenericBidiReactor {
    Reactor() { StartRead(&request); }
    void OnReadDone(bool ok) override {
      if (!ok) return Finish(grpc::Status::CANCELLED);
      const auto asked = message_in<CreateAccountRequest>(request);
      if (asked.name() == "fail") return Finish({grpc::StatusCode::NOT_FOUND, "no such thing"});
      if (asked.name() == "wait") return;
      Account account;
      account.set_name(asked.name());
      response = bytes_of(account);
      StartWriteAndFinish(&response, grpc::WriteOptions(), grpc::Status::OK);
    }
    void OnCancel() override { Finish(grpc::Status::CANCELLED); }
    void OnDone() override { delete this; }
    grpc::ByteBuffer request, response;
  };
  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext*) override {
    return new Reactor;
  }

  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

void expect_it_serves(const PeerServer& server, const ClientOptions& options) {
  TestClient client({server.address()}, options);
  const std::string large(3 << 20, 'x');
  for (const std::string& name : {std::string("a"), large}) {
    const Answer answer = client.call(new_account(name), anna());
    ASSERT_TRUE(answer.result.has_value()) << answer.result.error().detail;
    EXPECT_EQ(account_in(answer).name(), name);
    EXPECT_EQ(answer.status, 201u);
  }
  const Error error = client.call(new_account("fail"), anna()).result.error();
  EXPECT_EQ(error.code, Code::kNotFound);
  EXPECT_EQ(error.reason, "rpc_failed");
  EXPECT_EQ(error.detail, "no such thing");
  EXPECT_EQ(client.call(new_account("wait"), anna(), 200 * kMillisecond).result.error().code,
            Code::kDeadlineExceeded);
  EXPECT_TRUE(comes_true([] { return TestClient::serving() == 1; }));
}

TEST(WeCallTheLibrary, InPlainText) {
  const PeerServer server(grpc::InsecureServerCredentials());
  expect_it_serves(server, plain_gateway());
}

TEST(WeCallTheLibrary, OverMutualTls) {
  const CertificateFolder folder;
  folder.make("account");
  const TlsFiles files = folder.files("account");
  grpc::SslServerCredentialsOptions options(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = file(files.authority);
  options.pem_key_cert_pairs = {{file(files.key), file(files.certificate)}};
  const PeerServer server(grpc::SslServerCredentials(options));
  expect_it_serves(server, {.keys = folder.keys("gateway"), .timeout = 5 * kSecond});
}

}  // namespace
}  // namespace micropay::rpc
