// Throws bytes at a memory server's control connection: a server of this process, over a real
// connection. Whatever comes, it must go on, lend no more than it has, and let in who behaves.
//
// An input is a row of calls. Each: a byte for the method (its value modulo 5; from 128 on the id
// of a client that exists is put behind the message, where it counts), a byte for the message's
// length, the message.
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "rdma/remote/control.grpc.pb.h"
#include "rdma/remote/memory_server.h"
#include "rdma/remote/remote_fabric.h"

namespace tandem::rdma {
namespace {

namespace proto = tandem::memory::v1;

constexpr const char* kMethods[] = {"Join", "Renew", "Lend", "OpenRoad", "Leave"};
constexpr uint64_t kCapacity = 4 << 20;
constexpr size_t kMaxCalls = 32;

void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

class Target {
 public:
  Target() {
    RegisterRemoteFabrics();
    server_ = std::move(
        MemoryServer::Start({.capacity_bytes = kCapacity, .slab_bytes = 64 << 10}).value());
    address_ = server_->url().substr(6);
    channel_ = grpc::CreateChannel(address_, grpc::InsecureChannelCredentials());
    stub_ = std::make_unique<grpc::GenericStub>(channel_);
    good_ = ControlClient::Make(address_, {});
  }

  void Try(const uint8_t* data, size_t size) {
    const ClientId id = good_->Join("tcp", "behaves").value().id;
    std::vector<ClientId> others;
    for (size_t calls = 0; size >= 2 && calls < kMaxCalls; ++calls) {
      const uint8_t first = data[0];
      const size_t bytes = std::min<size_t>(data[1], size - 2);
      std::string message(reinterpret_cast<const char*>(data + 2), bytes);
      data += 2 + bytes;
      size -= 2 + bytes;
      const size_t method = first % std::size(kMethods);
      if (first >= 128) message += IdFor(method, id);
      proto::JoinReply reply;
      if (Call(kMethods[method], message, reply) && method == 0) {
        others.push_back({reply.epoch(), reply.client()});
      }
    }
    const MemoryServerStats stats = server_->Stats();
    Require(stats.lent_bytes <= kCapacity, "it lends more than it has");
    for (const ClientId other : others) (void)good_->Leave(other);
    (void)good_->Leave(id);
    Require(server_->Stats().clients == 0 && server_->Stats().lent_bytes == 0,
            "something stays when all have left");
  }

 private:
  // The field that names the client, as bytes: the last one of a kind counts.
  static std::string IdFor(size_t method, ClientId id) {
    proto::LendRequest lend;
    proto::ClientId& inner = *lend.mutable_id();
    inner.set_epoch(id.epoch);
    inner.set_client(id.client);
    if (method == 0) return {};
    return method == 2 || method == 3 ? lend.SerializeAsString() : inner.SerializeAsString();
  }

  bool Call(const char* method, const std::string& message, proto::JoinReply& reply) {
    grpc::ClientContext context;
    const grpc::Slice slice(message);
    const grpc::ByteBuffer request(&slice, 1);
    grpc::ByteBuffer answer;
    std::promise<grpc::Status> done;
    stub_->UnaryCall(&context, std::string("/tandem.memory.v1.MemoryServer/") + method, {},
                     &request, &answer, [&](grpc::Status status) { done.set_value(status); });
    const grpc::Status status = done.get_future().get();
    Require(status.error_code() != grpc::StatusCode::UNAVAILABLE, "it does not answer");
    grpc::Slice whole;
    return status.ok() && answer.DumpToSingleSlice(&whole).ok() &&
           reply.ParseFromArray(whole.begin(), static_cast<int>(whole.size()));
  }

  std::unique_ptr<MemoryServer> server_;
  std::string address_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<grpc::GenericStub> stub_;
  std::unique_ptr<ControlClient> good_;
};

}  // namespace
}  // namespace tandem::rdma

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static auto* const target = new tandem::rdma::Target;  // its threads outlive the tests
  target->Try(data, size);
  return 0;
}
