// Pipeline: blocks of numbers pass through stages, a task each, and end in an actor that adds them
// up in order.
//
//   Generate(block) --future--> Square --future--> Sum --future--> Total::Add, an actor
//
// At most `window` blocks are under way: before the next one is begun, Wait() makes sure that one
// has come through. Each stage makes a new block, and the old one is garbage. The numbers are 1, 2,
// 3, ..., so that the sum of their squares is known.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "workloads/tasks/task_workload.h"

namespace tandem::workloads {

namespace tasks {
namespace {

using Block = Array<uint64_t>;

struct Number : GarbageCollected<Number> {
  explicit Number(uint64_t n) : value(n) {}
  const uint64_t value;
};

Block* Generate(Context& context, uint64_t first, uint64_t length) {
  Block* block = context.MakeArray<uint64_t>(length);
  for (uint64_t i = 0; i < length; ++i) (*block)[i] = first + i;
  return block;
}

Block* Square(Context& context, Block* block) {
  Block* squares = context.MakeArray<uint64_t>(block->length());
  for (uint64_t i = 0; i < block->length(); ++i) (*squares)[i] = (*block)[i] * (*block)[i];
  return squares;
}

Number* Sum(Context& context, Block* block) {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < block->length(); ++i) sum += (*block)[i];
  return context.Make<Number>(sum);
}

struct Total : GarbageCollected<Total> {
  // Returns the total so far.
  Number* Add(Context& context, Number* sum) {
    total += sum->value;
    in_order = in_order * 31 + sum->value;
    return context.Make<Number>(total);
  }
  uint64_t total = 0;
  uint64_t in_order = 0;
};

class Pipeline : public TaskWorkload {
 public:
  Pipeline() : TaskWorkload("pipeline", "Tasks by futures: blocks of numbers through stages") {
    options().AddCount("blocks", "Blocks that pass through", &blocks_, 1, uint64_t{1} << 32);
    options().AddCount("block-length", "Numbers of a block", &length_, 1, uint64_t{1} << 32);
    options().AddCount("window", "Blocks under way at once", &window_, 1, 1 << 20);
  }

  void SetScale(Scale scale) override {
    blocks_ = scale == Scale::kTiny ? 200 : scale == Scale::kSmall ? 2'000 : 20'000;
    length_ = scale == Scale::kTiny ? 1'024 : 8'192;
  }

  Status Prepare(Progress&) override { return Status::Ok(); }

  // Two blocks of each that is under way.
  uint64_t LiveBytes() const override {
    return 2 * std::min(window_, blocks_) * ObjectBytes(sizeof(Block) + length_ * sizeof(uint64_t));
  }

 private:
  StatusOr<std::string> RunTasks(Session& session, Context& context) override {
    Phase measured(session, "measured", blocks_);
    auto total = context.MakeActor([](Context& own) { return own.Make<Total>(); });
    std::vector<Future<Number>> under_way;
    for (uint64_t i = 0; i < blocks_; ++i) {
      if (under_way.size() == window_) {
        // The actor takes blocks in order, so those that are through are the oldest.
        const size_t through = context.Wait(under_way, 1).size();
        for (size_t j = 0; j < through; ++j) context.Get(under_way[j]);
        under_way.erase(under_way.begin(), under_way.begin() + static_cast<ptrdiff_t>(through));
        session.progress().Advance(through);
      }
      const auto block = context.Remote(Generate, i * length_ + 1, length_);
      const auto sum = context.Remote(Sum, context.Remote(Square, block));
      under_way.push_back(total.Call(context, &Total::Add, sum));
    }
    for (const Future<Number>& future : under_way) context.Get(future);
    const auto in_order = total.Call(context, &Total::Add, context.Make<Number>(0u));
    const uint64_t sum = context.Get(in_order)->value;
    const auto order = context.Get(context.Remote(
        [](Context& own, Total* all) { return own.Make<Number>(all->in_order); }, total.self()));
    return fmt::format("{} {:016x}", sum, order->value);
  }

  uint64_t blocks_ = 0;
  uint64_t length_ = 0;
  uint64_t window_ = 32;
};

}  // namespace
}  // namespace tasks

std::unique_ptr<Workload> MakePipeline() { return std::make_unique<tasks::Pipeline>(); }

}  // namespace tandem::workloads
