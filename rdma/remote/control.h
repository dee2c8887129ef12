// Control: what a heap and a memory server say to each other besides pages (control.proto).
//
// ControlClient is a heap's connection to one server; ControlServer answers heaps on behalf of a
// ControlHandler. gRPC carries it, and is seen by control.cc alone. Both start threads of their
// own with all signals blocked; those never touch a heap. Any thread may call anything, but not a
// signal handler. Handler methods are called on several threads at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "tandem/status.h"

namespace tandem::rdma {

inline constexpr uint32_t kControlVersion = 3;

struct ClientId {
  uint64_t epoch = 0;
  uint64_t client = 0;
};

struct Joined {
  ClientId id;
  uint64_t lease_ms = 0;
  uint64_t slab_bytes = 0;
  std::string service;
};

struct LentMemory {
  uint64_t bytes = 0;
  uint64_t key = 0;
  uint64_t base = 0;
};

// An endpoint of the channel `channel`, the `generation`th.
struct RoadNumber {
  uint32_t channel = 0;
  uint32_t generation = 0;
};

// Why a server says no.
enum class Refusal : uint8_t {
  kSecret,
  kVersion,
  kNonsense,
  kUnknownClient,  // of another epoch, or it has left, or its lease has ended
  kCapacity,
  kClientLimit,
  kDraining,
  kConnection,  // of the data road: no client's, or an old one
};
inline constexpr size_t kRefusalCount = 8;
inline constexpr const char* kRefusalNames[kRefusalCount] = {
    "secret",   "version",      "nonsense", "unknown_client",
    "capacity", "client_limit", "draining", "connection"};

class ControlHandler {
 public:
  virtual ~ControlHandler() = default;
  // The protocol has refused somebody before asking: the caller at the address `who`.
  virtual void Refused(Refusal why, const std::string& who, const std::string& reason) = 0;
  virtual StatusOr<Joined> Join(const std::string& fabric, const std::string& name) = 0;
  virtual Status Renew(ClientId id) = 0;
  virtual StatusOr<LentMemory> Lend(ClientId id, uint64_t bytes) = 0;
  virtual StatusOr<std::string> OpenRoad(ClientId id, const RoadNumber& road,
                                         const std::string& endpoint) = 0;
  virtual Status Leave(ClientId id) = 0;
};

// Mutual TLS: each side shows a certificate, and accepts what `authority` has signed. PEM.
struct TlsIdentity {
  std::string certificate;
  std::string key;
  std::string authority;

  bool empty() const { return certificate.empty(); }
  // From three files, or empty if none is named.
  static StatusOr<TlsIdentity> Read(const std::string& certificate_file,
                                    const std::string& key_file, const std::string& authority_file);
};

// Who may call, and how one shows that one may. Empty: anybody may.
struct Credentials {
  std::string secret = {};
  TlsIdentity tls = {};

  bool empty() const { return secret.empty() && tls.empty(); }
  // What a heap shows: TANDEM_SECRET_FILE, and TANDEM_TLS_CERT, TANDEM_TLS_KEY and TANDEM_TLS_CA.
  static StatusOr<Credentials> FromEnvironment();
};

class ControlServer {
 public:
  // `address` is HOST:PORT (port 0: any that is free) or unix:PATH, where there is no TLS. `wanted`
  // is what callers must show. `handler` outlives the server.
  static StatusOr<std::unique_ptr<ControlServer>> Start(const std::string& address,
                                                        const Credentials& wanted,
                                                        ControlHandler& handler);
  virtual ~ControlServer() = default;  // waits for the calls that run

  virtual int port() const = 0;  // 0 if it has none
};

class ControlClient {
 public:
  static std::unique_ptr<ControlClient> Make(const std::string& address, const Credentials& shown);
  virtual ~ControlClient() = default;

  // Errors name the server. kUnavailable: no answer in time. kDataLoss: the server does not know
  // this client (any more): what it had lent is gone.
  virtual StatusOr<Joined> Join(const std::string& fabric, const std::string& name) = 0;
  virtual Status Renew(ClientId id) = 0;
  virtual StatusOr<LentMemory> Lend(ClientId id, uint64_t bytes) = 0;
  virtual StatusOr<std::string> OpenRoad(ClientId id, const RoadNumber& road,
                                         const std::string& endpoint) = 0;
  virtual Status Leave(ClientId id) = 0;
};

// Where heaps and a memory server of this user meet to agree on a local fabric: the address for
// ControlClient, in a folder that nobody else may enter, which this creates.
StatusOr<std::string> SharedMemoryControlAddress(const std::string& name);

// The shared secret that a file holds: its first line, which must not be empty.
StatusOr<std::string> ReadSecret(const std::string& path);

// One line of printable characters, not long: what the other side says may be anything.
std::string Printable(std::string text);

}  // namespace tandem::rdma
