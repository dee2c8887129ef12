#include "tools/progress_bar.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "tools/terminal.h"

namespace tandem::tools {

namespace {

constexpr auto kInterval = std::chrono::milliseconds(100);
constexpr size_t kWidth = 30;

std::string LineFor(const std::string& label, const workloads::Progress::Sample& now,
                    double seconds) {
  if (now.total == 0) return fmt::format("{}: {} {:.0f} s", label, now.phase, seconds);
  const double share =
      std::min(1.0, static_cast<double>(now.done) / static_cast<double>(now.total));
  const auto filled = static_cast<size_t>(share * kWidth);
  return fmt::format("{}: {} {:.0f} % [{}{}] {:.0f} s", label, now.phase, share * 100,
                     std::string(filled, '#'), std::string(kWidth - filled, '.'), seconds);
}

}  // namespace

ProgressBar::ProgressBar(std::string label, const workloads::Progress& progress)
    : label_(std::move(label)), progress_(progress) {
  if (CanDrawProgress()) thread_ = std::thread([this] { DrawUntilStopped(); });
}

ProgressBar::~ProgressBar() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stop_changed_.notify_one();
  thread_.join();
  DrawProgressLine("");
}

void ProgressBar::DrawUntilStopped() {
  const auto start = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  while (!stop_changed_.wait_for(lock, kInterval, [this] { return stop_; })) {
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    DrawProgressLine(LineFor(label_, progress_.Get(), spent.count()));
  }
}

}  // namespace tandem::tools
