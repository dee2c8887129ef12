#include "rdma/remote/mapped/mapped_road.h"

#include <utility>

#include "rdma/remote/mapped/session_file.h"
#include "runtime/base/futex.h"

namespace tandem::rdma {

namespace {

class MappedSession final : public DataSession {
 public:
  explicit MappedSession(std::unique_ptr<SessionFile> its_file) : file(std::move(its_file)) {}

  StatusOr<LentMemory> Lend(uint64_t bytes) override {
    auto offset = file->Grow(bytes);
    if (!offset.ok()) return offset.status();
    return LentMemory{.bytes = bytes, .base = *offset};
  }

  const std::unique_ptr<SessionFile> file;
};

}  // namespace

std::string MappedRoad::ServiceFor(const DataSession& session) const {
  return static_cast<const MappedSession&>(session).file->name();
}

StatusOr<std::unique_ptr<DataSession>> MappedRoad::OpenSession() {
  auto file = SessionFile::Make();
  if (!file.ok()) return file.status();
  return std::unique_ptr<DataSession>(std::make_unique<MappedSession>(std::move(*file)));
}

void MappedRoad::CloseSession(std::unique_ptr<DataSession> session) {
  static_cast<MappedSession*>(session.get())->file->End();
}

StatusOr<std::string> MappedRoad::OpenRoad(DataSession&, const RoadNumber&, const std::string&) {
  return Status::InvalidArgument("this fabric's channels need no road");
}

void MappedRoad::Serve(int wait_ms) {
  if (wait_ms > 0) base::FutexWait(wakeups_, seen_, uint64_t{1'000'000} * wait_ms);
  seen_ = wakeups_.load();
}

void MappedRoad::Wake() {
  wakeups_.fetch_add(1);
  base::FutexWake(wakeups_, 1);
}

}  // namespace tandem::rdma
