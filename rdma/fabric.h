// Fabric: what moves pages between this process and memory servers.
//
// Opened by name (`emulated:rdma40,loss=0.01`); owns the connection and the lent memory. All
// methods but those of the channels it opens may be called from any thread. A fabric outlives
// its channels. See channel.h for the transfers themselves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "rdma/channel.h"
#include "tandem/status.h"

namespace tandem::rdma {

struct FabricStats {
  uint64_t read_bytes[kLaneCount] = {};
  uint64_t written_bytes[kLaneCount] = {};
  uint64_t lent_bytes = 0;       // slabs that this fabric's servers have lent to us
  uint64_t discarded_bytes = 0;  // told to the servers as no longer wanted
  uint64_t faults_injected = 0;
};

class Fabric {
 public:
  virtual ~Fabric() = default;

  // Opens the fabric that `url` names. Errors name what is valid.
  static StatusOr<std::unique_ptr<Fabric>> Open(std::string_view url);

  // The full name, every overridden value included.
  virtual std::string Name() const = 0;

  // Borrows `bytes` (a multiple of the page size) of far memory, zero-filled; returns the slab's
  // number. Numbers count up from 0.
  virtual StatusOr<uint32_t> LendSlab(uint64_t bytes) = 0;

  // Makes a buffer known to the fabric, so that transfers may use it, until the fabric closes.
  virtual Status RegisterBuffer(void* start, size_t bytes) = 0;

  // True if registration pins the buffer's pages (an RDMA device): such pages cannot be moved
  // by the kernel and must be copied from.
  virtual bool PinsBuffers() const = 0;

  virtual StatusOr<std::unique_ptr<Channel>> OpenChannel() = 0;

  // Tells the server that this range's content is worthless. A hint: it reads as old content or
  // zeroes from now on, and takes effect before any transfer posted later, on whichever channel.
  // Cheap; may be called often.
  virtual void Discard(FarAddress far, uint64_t bytes) = 0;

  // How long a transfer may take before its poster should give it up and try again.
  virtual uint64_t TimeoutNs() const = 0;

  virtual FabricStats Stats() const = 0;

  // The memory server that holds this place, for people: its part of the fabric's name. Lives as
  // long as the fabric. Async-signal-safe.
  virtual const char* ServerOf(FarAddress far) const = 0;

  // Why transfers to that server do not get through at present, for people: a constant; null if
  // nothing is known. Async-signal-safe.
  virtual const char* TroubleAt(FarAddress /*far*/) const { return nullptr; }
};

// What `Fabric::Open` understands, a line each, for `tandem list`.
struct FabricDescription {
  std::string name;
  std::string summary;
};
std::vector<FabricDescription> ListFabrics();

// Fabrics that live in a library apart make themselves known with this, before any is opened.
struct FabricKind {
  std::string scheme;  // what stands before the first colon of a URL
  FabricDescription description;
  StatusOr<std::unique_ptr<Fabric>> (*open)(std::string_view url);
};
void RegisterFabricKind(FabricKind kind);

}  // namespace tandem::rdma
