// What every fabric does when its far side fails, whatever that is made of.
//
// The suite in fault_conformance.cc is told by names of a test program's choice which far sides
// there are; to run it, link it, instantiate it, and define MakeFarSide. Nothing in it depends on
// speed: a far side may serve while it is said to be silent.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/rdma/fabric_conformance.h"

namespace tandem::rdma {

// A far side that fails as it is told to, for as long as the fabrics that lead there are open.
class FarSide {
 public:
  virtual ~FarSide() = default;

  // Of a fabric that leads there.
  virtual std::string Url() const = 0;

  // What is posted from now on may find no answer before it speaks again. One that always loses
  // some of what is posted need do nothing here.
  virtual void Silence() {}
  virtual void Speak() {}

  // All that it has lent to `fabric` is gone.
  virtual void Die(Fabric& fabric) = 0;
  // It lends again, having forgotten everything.
  virtual void ComeBack() {}
};

// The far side that a test program calls by that name.
std::unique_ptr<FarSide> MakeFarSide(const std::string& name);

// Carries a transfer as the pager does: what finds no answer in time is cancelled and posted again.
// Fails if that goes on for very long.
Outcome Persist(const Fabric& fabric, Endpoint& endpoint, const Transfer& transfer);

class FaultConformance : public testing::TestWithParam<const char*> {
 protected:
  static constexpr size_t kPages = 64;

  std::unique_ptr<FarSide> far_side_ = MakeFarSide(GetParam());
  std::unique_ptr<Fabric> fabric_ = OpenOrDie(far_side_->Url());
  uint32_t slab_ = fabric_->LendSlab(kPages * kPage).value();
  Endpoint endpoint_{*fabric_, kPages};
  Channel& channel_ = endpoint_.channel();

  FarAddress Far(size_t page) const { return {slab_, page * kPage}; }
  void Store(size_t page, uint64_t value);
  bool Holds(size_t page, uint64_t value);
  // Lets what was posted get on its way, without hearing of it.
  void Send();
};

}  // namespace tandem::rdma
