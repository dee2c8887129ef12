#include "rdma/remote/control.h"

#include <fmt/format.h>
#include <grpc/support/log.h>
#include <grpcpp/grpcpp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <tuple>
#include <utility>

#include "rdma/remote/control.grpc.pb.h"
#include "runtime/base/signals_blocked.h"

namespace tandem::rdma {

namespace {

namespace proto = tandem::memory::v1;

constexpr int kMaxMessageBytes = 64 << 10;
constexpr auto kAnswerLimit = std::chrono::seconds(2);
// For joining, since the first answer of a server takes longest. Nobody who is not there makes
// anybody wait for it.
constexpr auto kSlowAnswerLimit = std::chrono::seconds(20);
// For lending, for which a server clears, registers and perhaps pins memory. While a heap waits for
// it none of its threads gets new memory: RemoteServer sees to it that it does so only once.
constexpr auto kLendLimit = std::chrono::seconds(5);
// For what a heap asks again and again of a server that may be gone, and back by now. gRPC makes a
// lost connection anew only while a call waits for it, or every five seconds.
constexpr auto kReconnectLimit = std::chrono::seconds(1);
enum class Reconnect : bool { kNo, kYes };
constexpr const char* kSecretKey = "tandem-secret";

grpc::Status ToGrpc(const Status& status) {
  switch (status.code()) {
    case StatusCode::kOk:
      return grpc::Status::OK;
    case StatusCode::kInvalidArgument:
      return {grpc::StatusCode::INVALID_ARGUMENT, status.message()};
    case StatusCode::kNotPermitted:
      return {grpc::StatusCode::PERMISSION_DENIED, status.message()};
    case StatusCode::kUnavailable:
      return {grpc::StatusCode::FAILED_PRECONDITION, status.message()};
    case StatusCode::kResourceExhausted:
      return {grpc::StatusCode::RESOURCE_EXHAUSTED, status.message()};
    case StatusCode::kDataLoss:
      return {grpc::StatusCode::NOT_FOUND, status.message()};
    case StatusCode::kIo:
    case StatusCode::kInternal:
      break;
  }
  return {grpc::StatusCode::INTERNAL, status.message()};
}

Status FromGrpc(const grpc::Status& status, const std::string& address) {
  const std::string& text = status.error_message();
  switch (status.error_code()) {
    case grpc::StatusCode::OK:
      return Status::Ok();
    case grpc::StatusCode::INVALID_ARGUMENT:
      return Status::InvalidArgument(fmt::format("memory server {}: {}", address, text));
    case grpc::StatusCode::PERMISSION_DENIED:
      return Status::NotPermitted(fmt::format("memory server {}: {}", address, text));
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return Status::ResourceExhausted(fmt::format("memory server {}: {}", address, text));
    case grpc::StatusCode::NOT_FOUND:
      return Status::DataLoss(fmt::format("memory server {}: {}", address, text));
    case grpc::StatusCode::FAILED_PRECONDITION:
      return Status::Unavailable(fmt::format("memory server {}: {}", address, text));
    case grpc::StatusCode::UNIMPLEMENTED:
      return Status::Unavailable(fmt::format("what answers at {} is no memory server of version {}",
                                             address, kControlVersion));
    default:
      return Status::Unavailable(fmt::format(
          "no answer from a memory server at {}: {}; is `tandem memserver` running there?", address,
          text));
  }
}

// Takes as long for a wrong secret as for a right one.
bool SameText(std::string_view a, std::string_view b) {
  unsigned different = a.size() != b.size();
  for (size_t i = 0; i < a.size(); ++i) {
    different |= static_cast<unsigned char>(a[i] ^ (b.empty() ? 0 : b[i % b.size()]));
  }
  return different == 0;
}

ClientId IdOf(const proto::ClientId& id) { return {id.epoch(), id.client()}; }

void SetId(proto::ClientId& to, ClientId id) {
  to.set_epoch(id.epoch);
  to.set_client(id.client);
}

class Server final : public ControlServer, private proto::MemoryServer::Service {
 public:
  Server(const Credentials& wanted, ControlHandler& handler)
      : secret_(wanted.secret), tls_(wanted.tls), handler_(handler) {}
  ~Server() override {
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now() + kAnswerLimit);
  }

  Status Listen(const std::string& address) {
    const base::SignalsBlocked blocked;
    grpc::ServerBuilder builder;
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
    builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::MAX_POLLERS, 2);
    builder.AddListeningPort(address, ServerCredentials(address), &port_);
    builder.RegisterService(this);
    // Our error is a line that names the address; gRPC writes several of its own besides.
    gpr_set_log_function([](gpr_log_func_args*) {});
    server_ = builder.BuildAndStart();
    gpr_set_log_function(nullptr);
    if (server_ != nullptr && (port_ != 0 || address.starts_with("unix:"))) return Status::Ok();
    return Status::Unavailable(
        fmt::format("cannot listen on {}: is the address this machine's, and free?{}", address,
                    tls_.empty() ? "" : " Do certificate and key belong together?"));
  }

  int port() const override { return address_has_port() ? port_ : 0; }

 private:
  std::shared_ptr<grpc::ServerCredentials> ServerCredentials(const std::string& address) const {
    if (tls_.empty() || address.starts_with("unix:")) return grpc::InsecureServerCredentials();
    grpc::SslServerCredentialsOptions options(
        GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    options.pem_root_certs = tls_.authority;
    options.pem_key_cert_pairs.push_back({tls_.key, tls_.certificate});
    return grpc::SslServerCredentials(options);
  }

  bool address_has_port() const { return port_ > 1; }  // gRPC says 1 for a unix socket

  // Calls `act` unless the secret is wrong.
  template <typename Act>
  grpc::Status Answer(grpc::ServerContext* context, Act&& act) {
    if (!secret_.empty()) {
      const auto shown = context->client_metadata().find(kSecretKey);
      if (shown == context->client_metadata().end() ||
          !SameText({shown->second.data(), shown->second.size()}, secret_)) {
        const std::string reason = "the shared secret is missing or wrong";
        handler_.Refused(Refusal::kSecret, context->peer(), reason);
        return {grpc::StatusCode::PERMISSION_DENIED, reason};
      }
    }
    return ToGrpc(act());
  }

  grpc::Status Join(grpc::ServerContext* context, const proto::JoinRequest* request,
                    proto::JoinReply* reply) override {
    return Answer(context, [&]() -> Status {
      if (request->version() != kControlVersion) {
        const std::string reason =
            fmt::format("it speaks version {}, not {}", kControlVersion, request->version());
        handler_.Refused(Refusal::kVersion, context->peer(), reason);
        return Status::InvalidArgument(reason);
      }
      const StatusOr<Joined> joined = handler_.Join(request->fabric(), request->name());
      if (!joined.ok()) return joined.status();
      const Joined& j = joined.value();
      reply->set_epoch(j.id.epoch);
      reply->set_client(j.id.client);
      reply->set_lease_ms(j.lease_ms);
      reply->set_slab_bytes(j.slab_bytes);
      reply->set_service(j.service);
      return Status::Ok();
    });
  }

  grpc::Status Renew(grpc::ServerContext* context, const proto::ClientId* id,
                     proto::Nothing*) override {
    return Answer(context, [&] { return handler_.Renew(IdOf(*id)); });
  }

  grpc::Status Lend(grpc::ServerContext* context, const proto::LendRequest* request,
                    proto::LendReply* reply) override {
    return Answer(context, [&]() -> Status {
      // Nobody would use it before the client leaves: this process was stopped for too long.
      if (context->IsCancelled()) return Status::Unavailable("the heap waits no more");
      const StatusOr<LentMemory> lent = handler_.Lend(IdOf(request->id()), request->bytes());
      if (!lent.ok()) return lent.status();
      reply->set_bytes(lent.value().bytes);
      reply->set_key(lent.value().key);
      reply->set_base(lent.value().base);
      return Status::Ok();
    });
  }

  grpc::Status OpenRoad(grpc::ServerContext* context, const proto::RoadRequest* request,
                        proto::RoadReply* reply) override {
    return Answer(context, [&]() -> Status {
      const StatusOr<std::string> address = handler_.OpenRoad(
          IdOf(request->id()), {request->channel(), request->generation()}, request->endpoint());
      if (!address.ok()) return address.status();
      reply->set_address(address.value());
      return Status::Ok();
    });
  }

  grpc::Status Leave(grpc::ServerContext* context, const proto::ClientId* id,
                     proto::Nothing*) override {
    return Answer(context, [&] { return handler_.Leave(IdOf(*id)); });
  }

  const std::string secret_;
  const TlsIdentity tls_;
  ControlHandler& handler_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

class Client final : public ControlClient {
 public:
  Client(const std::string& address, const Credentials& shown)
      : address_(address), secret_(shown.secret) {
    grpc::ChannelArguments arguments;
    // Connections are no longer shared between fabrics: one that closes disturbs no other.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
    arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
    stub_ = proto::MemoryServer::NewStub(
        grpc::CreateCustomChannel(address, ChannelCredentials(address, shown.tls), arguments));
  }

  StatusOr<Joined> Join(const std::string& fabric, const std::string& name) override {
    proto::JoinRequest request;
    request.set_version(kControlVersion);
    request.set_fabric(fabric);
    request.set_name(name);
    proto::JoinReply reply;
    if (Status s = Call(&proto::MemoryServer::Stub::Join, request, reply, kSlowAnswerLimit);
        !s.ok()) {
      return s;
    }
    return Joined{
        {reply.epoch(), reply.client()}, reply.lease_ms(), reply.slab_bytes(), reply.service()};
  }

  Status Renew(ClientId id) override {
    return CallWithId(&proto::MemoryServer::Stub::Renew, id, kReconnectLimit, Reconnect::kYes);
  }
  Status Leave(ClientId id) override {
    return CallWithId(&proto::MemoryServer::Stub::Leave, id, kAnswerLimit);
  }

  StatusOr<LentMemory> Lend(ClientId id, uint64_t bytes) override {
    proto::LendRequest request;
    SetId(*request.mutable_id(), id);
    request.set_bytes(bytes);
    proto::LendReply reply;
    if (Status s = Call(&proto::MemoryServer::Stub::Lend, request, reply, kLendLimit); !s.ok()) {
      return s;
    }
    return LentMemory{reply.bytes(), reply.key(), reply.base()};
  }

  StatusOr<std::string> OpenRoad(ClientId id, const RoadNumber& road,
                                 const std::string& endpoint) override {
    proto::RoadRequest request;
    SetId(*request.mutable_id(), id);
    request.set_channel(road.channel);
    request.set_generation(road.generation);
    request.set_endpoint(endpoint);
    proto::RoadReply reply;
    if (Status s = Call(&proto::MemoryServer::Stub::OpenRoad, request, reply, kReconnectLimit,
                        Reconnect::kYes);
        !s.ok()) {
      return s;
    }
    return reply.address();
  }

 private:
  static std::shared_ptr<grpc::ChannelCredentials> ChannelCredentials(const std::string& address,
                                                                      const TlsIdentity& tls) {
    if (tls.empty() || address.starts_with("unix:")) return grpc::InsecureChannelCredentials();
    return grpc::SslCredentials({tls.authority, tls.key, tls.certificate});
  }

  template <typename Method, typename Request, typename Reply>
  Status Call(Method method, const Request& request, Reply& reply, std::chrono::seconds limit,
              Reconnect reconnect = Reconnect::kNo) {
    const base::SignalsBlocked blocked;  // gRPC starts threads when it needs them
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + limit);
    context.set_wait_for_ready(reconnect == Reconnect::kYes);
    if (!secret_.empty()) context.AddMetadata(kSecretKey, secret_);
    return FromGrpc((stub_.get()->*method)(&context, request, &reply), address_);
  }

  template <typename Method>
  Status CallWithId(Method method, ClientId id, std::chrono::seconds limit,
                    Reconnect reconnect = Reconnect::kNo) {
    proto::ClientId request;
    SetId(request, id);
    proto::Nothing reply;
    return Call(method, request, reply, limit, reconnect);
  }

  const std::string address_;
  const std::string secret_;
  std::unique_ptr<proto::MemoryServer::Stub> stub_;
};

}  // namespace

StatusOr<std::unique_ptr<ControlServer>> ControlServer::Start(const std::string& address,
                                                              const Credentials& wanted,
                                                              ControlHandler& handler) {
  auto server = std::make_unique<Server>(wanted, handler);
  if (Status s = server->Listen(address); !s.ok()) return s;
  return std::unique_ptr<ControlServer>(std::move(server));
}

std::unique_ptr<ControlClient> ControlClient::Make(const std::string& address,
                                                   const Credentials& shown) {
  const base::SignalsBlocked blocked;
  return std::make_unique<Client>(address, shown);
}

StatusOr<std::string> SharedMemoryControlAddress(const std::string& name) {
  const bool valid =
      !name.empty() && name.size() <= 64 && name[0] != '.' &&
      std::all_of(name.begin(), name.end(), [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.';
      });
  if (!valid) {
    return Status::InvalidArgument(fmt::format(
        "'{}' is no name for a memory server: valid are letters, digits, '-', '_' and '.'",
        Printable(name)));
  }
  const std::string folder = fmt::format("/tmp/tandem-{}", getuid());
  (void)mkdir(folder.c_str(), 0700);
  struct stat found {};
  if (lstat(folder.c_str(), &found) != 0 || !S_ISDIR(found.st_mode) || found.st_uid != getuid() ||
      (found.st_mode & 077) != 0) {
    return Status::NotPermitted(
        fmt::format("{} must be a folder that is yours alone (mode 700)", folder));
  }
  return fmt::format("unix:{}/{}.sock", folder, name);
}

StatusOr<std::string> ReadSecret(const std::string& path) {
  std::ifstream file(path);
  std::string secret;
  if (!std::getline(file, secret) || secret.empty()) {
    return Status::InvalidArgument(
        fmt::format("no secret in {}: a file with one line is needed", path));
  }
  for (const char c : secret) {
    if (c < ' ' || c > '~') {
      return Status::InvalidArgument(
          fmt::format("the secret in {} must consist of printable ASCII characters", path));
    }
  }
  return secret;
}

StatusOr<TlsIdentity> TlsIdentity::Read(const std::string& certificate_file,
                                        const std::string& key_file,
                                        const std::string& authority_file) {
  TlsIdentity identity;
  if (certificate_file.empty() && key_file.empty() && authority_file.empty()) return identity;
  for (auto [path, text, what] :
       {std::tuple(&certificate_file, &identity.certificate, "certificate"),
        std::tuple(&key_file, &identity.key, "key"),
        std::tuple(&authority_file, &identity.authority, "authority's certificate")}) {
    std::ifstream file(*path);
    text->assign(std::istreambuf_iterator<char>(file), {});
    if (text->find("-----BEGIN ") == text->npos) {
      return Status::InvalidArgument(
          path->empty() ? fmt::format("TLS needs three files; that of the {} is missing", what)
                        : fmt::format("no {} in {}: a file in PEM is needed", what, *path));
    }
  }
  return identity;
}

StatusOr<Credentials> Credentials::FromEnvironment() {
  const auto value = [](const char* name) {
    const char* text = std::getenv(name);
    return std::string(text == nullptr ? "" : text);
  };
  Credentials credentials;
  if (const std::string file = value("TANDEM_SECRET_FILE"); !file.empty()) {
    StatusOr<std::string> secret = ReadSecret(file);
    if (!secret.ok()) return secret.status();
    credentials.secret = *secret;
  }
  auto tls =
      TlsIdentity::Read(value("TANDEM_TLS_CERT"), value("TANDEM_TLS_KEY"), value("TANDEM_TLS_CA"));
  if (!tls.ok()) return tls.status();
  credentials.tls = std::move(*tls);
  return credentials;
}

std::string Printable(std::string text) {
  text.resize(std::min<size_t>(text.size(), 80));
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || static_cast<unsigned char>(c) > '~') c = '?';
  }
  return text;
}

}  // namespace tandem::rdma
