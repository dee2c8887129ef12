#include "tandem/timeline.h"

#include <utility>

#include "runtime/base/timeline.h"

namespace tandem {

StatusOr<std::unique_ptr<Timeline>> Timeline::Start() {
  auto impl = base::Timeline::Start();
  if (!impl.ok()) return impl.status();
  return std::unique_ptr<Timeline>(new Timeline(std::move(*impl)));
}

Timeline::Timeline(std::unique_ptr<base::Timeline> impl) : impl_(std::move(impl)) {}

Timeline::~Timeline() = default;

Status Timeline::Write(int fd) {
  impl_->Stop();
  return impl_->Write(fd);
}

uint64_t Timeline::dropped() const { return impl_->dropped(); }

TimelinePhase::TimelinePhase(const char* name) : name_(name), begin_ns_(base::NowNs()) {}

TimelinePhase::~TimelinePhase() {
  base::TraceSince(base::Span::kPhase, begin_ns_, reinterpret_cast<uintptr_t>(name_));
}

}  // namespace tandem
