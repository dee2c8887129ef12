#include "rdma/remote/verbs/verbs_connection.h"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

namespace tandem::rdma {

namespace {

constexpr int kRouteMs = 2000;
// A peer that is silent is given up after 4.096 us * 2^14 * 7, half a second. 7 retries would be
// endless on Soft-RoCE, and for a receiver that is not ready everywhere.
constexpr uint8_t kAckTimeout = 14;
constexpr uint8_t kRetries = 6;

}  // namespace

VerbsConnection::VerbsConnection(VerbsTransport& transport, RoadNumber road)
    : transport_(transport), road_(road), ring_(transport.depth()) {}

StatusOr<std::unique_ptr<Connection>> VerbsConnection::Start(VerbsTransport& transport,
                                                             RoadNumber road) {
  std::unique_ptr<VerbsConnection> made(new VerbsConnection(transport, road));
  auto events = OpenEventChannel();
  if (!events.ok()) return events.status();
  made->events_ = std::move(*events);
  auto id = MakeConnectionId(*made->events_);
  if (!id.ok()) return id.status();
  made->id_ = std::move(*id);
  if (Status s = transport.Resolve(*made->id_); !s.ok()) return s;
  return std::unique_ptr<Connection>(std::move(made));
}

VerbsConnection::~VerbsConnection() {
  if (id_ == nullptr) return;
  // Lets the server know. Without a connection it is an error that nobody minds.
  (void)RdmaCm().disconnect(id_.get());
  id_.reset();  // with its queue pair, which uses the queue
}

Connection::State VerbsConnection::Fail(const char* why) {
  trouble_ = why;
  return State::kFailed;
}

Connection::State VerbsConnection::Check() {
  rdma_cm_event* event = nullptr;
  if (RdmaCm().get_cm_event(events_.get(), &event) != 0) {
    return errno == EAGAIN ? State::kConnecting
                           : Fail("the connection manager could not finish the connection");
  }
  const rdma_cm_event_type type = event->event;
  const int status = event->status;
  const uint8_t granted_reads = event->param.conn.initiator_depth;
  uint8_t ack_timeout = kAckTimeout;
  (void)RdmaCm().ack_cm_event(event);
  switch (type) {
    case RDMA_CM_EVENT_ADDR_RESOLVED:
      if (id_->verbs != transport_.device()) {
        return Fail("the way to the server leads through another RDMA device than before");
      }
      // Kernels before 5.3 have no such option: theirs takes longer to give up, no more.
      (void)RdmaCm().set_option(id_.get(), RDMA_OPTION_ID, RDMA_OPTION_ID_ACK_TIMEOUT, &ack_timeout,
                                sizeof ack_timeout);
      if (RdmaCm().resolve_route(id_.get(), kRouteMs) == 0) return State::kConnecting;
      return Fail(TroubleOf(RDMA_CM_EVENT_ROUTE_ERROR, 0));
    case RDMA_CM_EVENT_ROUTE_RESOLVED:
      return Connect();
    case RDMA_CM_EVENT_ESTABLISHED:
      reads_limit_ = std::clamp<uint32_t>(granted_reads, 1, transport_.max_reads());
      return State::kReady;
    default:
      return Fail(TroubleOf(type, status));
  }
}

Connection::State VerbsConnection::Connect() {
  // Each transfer may end with a completion of its own: after an error they all do.
  queue_.reset(Verbs().create_cq(transport_.device(), static_cast<int>(ring_.size()) + 1, nullptr,
                                 nullptr, 0));
  if (queue_ == nullptr) return Fail("the device has no completion queue left");
  ibv_qp_init_attr attributes{};
  attributes.send_cq = queue_.get();
  attributes.recv_cq = queue_.get();
  attributes.qp_type = IBV_QPT_RC;
  attributes.cap.max_send_wr = static_cast<uint32_t>(ring_.size());
  attributes.cap.max_recv_wr = 1;
  attributes.cap.max_send_sge = 1;
  attributes.cap.max_recv_sge = 1;
  if (RdmaCm().create_qp(id_.get(), transport_.domain(), &attributes) != 0) {
    return Fail("the device has no queue pair left, or no memory to pin for one (`ulimit -l`)");
  }
  ConnectNote note = transport_.note();
  note.channel = road_.channel;
  note.generation = road_.generation;
  rdma_conn_param parameters{};
  parameters.private_data = &note;
  parameters.private_data_len = sizeof note;
  parameters.initiator_depth = transport_.max_reads();
  parameters.retry_count = kRetries;
  parameters.rnr_retry_count = kRetries;
  if (RdmaCm().connect(id_.get(), &parameters) == 0) return State::kConnecting;
  return Fail(TroubleOf(RDMA_CM_EVENT_CONNECT_ERROR, 0));
}

Connection::Posted VerbsConnection::Post(const Transfer& t, const Extent& extent, void* context) {
  const bool read = t.direction == Direction::kRead;
  if (posted_ - taken_ == ring_.size()) return Posted::kFull;
  // Some places are kept for demand.
  const uint32_t kept = t.lane == Lane::kDemand ? 0 : reads_limit_ / 4;
  if (read && reads_ + kept >= reads_limit_) return Posted::kFull;
  const BufferTable::Buffer* buffer = transport_.buffers().Find(t.local, t.bytes);
  if (buffer == nullptr) {
    trouble_ = TroubleOf(IBV_WC_LOC_PROT_ERR);
    return Posted::kBroken;
  }
  Entry& entry = EntryOf(posted_);
  entry.context = context;
  entry.piece = {.addr = reinterpret_cast<uintptr_t>(t.local),
                 .length = t.bytes,
                 .lkey = static_cast<ibv_mr*>(buffer->descriptor)->lkey};
  entry.request = {};
  entry.request.wr_id = posted_;
  entry.request.sg_list = &entry.piece;
  entry.request.num_sge = 1;
  entry.request.opcode = read ? IBV_WR_RDMA_READ : IBV_WR_RDMA_WRITE;
  entry.request.wr.rdma.remote_addr = extent.base + t.far.offset_bytes;
  entry.request.wr.rdma.rkey = static_cast<uint32_t>(extent.key);
  if (t.lane == Lane::kDemand || unsignalled_ + 1 == kSignalEvery) {
    entry.request.send_flags = IBV_SEND_SIGNALED;
    unsignalled_ = 0;
  } else {
    ++unsignalled_;
  }
  if (posted_ != flushed_) EntryOf(posted_ - 1).request.next = &entry.request;
  ++posted_;
  if (read) ++reads_;
  return Posted::kYes;
}

bool VerbsConnection::Flush() {
  if (posted_ == flushed_) return true;
  EntryOf(posted_ - 1).request.send_flags |= IBV_SEND_SIGNALED;
  unsignalled_ = 0;
  ibv_send_wr* first = &EntryOf(flushed_).request;
  ibv_send_wr* bad = nullptr;
  flushed_ = posted_;
  if (ibv_post_send(id_->qp, first, &bad) == 0) return true;
  trouble_ = "the device does not take transfers any more";
  return false;
}

Connection::Report VerbsConnection::Poll(std::span<void*> done) {
  Report report;
  for (;;) {
    while (taken_ < acknowledged_ && report.done < done.size()) {
      const Entry& entry = EntryOf(taken_++);
      if (entry.request.opcode == IBV_WR_RDMA_READ) --reads_;
      done[report.done++] = entry.context;
    }
    if (report.done == done.size()) {
      report.more = true;
      return report;
    }
    if (broken_) {
      report.broken = true;
      report.refused = refused_;
      return report;
    }
    ibv_wc completions[16];
    const int n = ibv_poll_cq(queue_.get(), std::size(completions), completions);
    if (n == 0) return report;
    if (n < 0) {
      trouble_ = "the device's completion queue cannot be read";
      broken_ = true;
    }
    for (int i = 0; i < n && !broken_; ++i) {
      const ibv_wc& completion = completions[i];
      if (completion.status == IBV_WC_SUCCESS) {
        acknowledged_ = completion.wr_id + 1;
        continue;
      }
      // Only the first error tells a cause; all others follow from it.
      trouble_ = TroubleOf(completion.status);
      broken_ = true;
      if (completion.status == IBV_WC_REM_ACCESS_ERR) {
        refused_ = EntryOf(completion.wr_id).context;
      }
    }
  }
}

void VerbsConnection::Close() {
  if (id_->qp != nullptr) RdmaCm().destroy_qp(id_.get());
}

}  // namespace tandem::rdma
