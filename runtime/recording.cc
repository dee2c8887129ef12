#include "tandem/recording.h"

#include <utility>

#include "runtime/record/recorder.h"

namespace tandem {

StatusOr<std::unique_ptr<Recording>> Recording::Create(const std::string& path) {
  auto impl = record::Recorder::Create(path);
  if (!impl.ok()) return impl.status();
  return std::unique_ptr<Recording>(new Recording(std::move(*impl)));
}

Recording::Recording(std::unique_ptr<record::Recorder> impl) : impl_(std::move(impl)) {}

Recording::~Recording() = default;

Status Recording::Finish() { return impl_->Finish(); }

}  // namespace tandem
