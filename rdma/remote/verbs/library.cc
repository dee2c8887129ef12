#include "rdma/remote/verbs/library.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstring>
#include <mutex>
#include <string>
#include <type_traits>

namespace tandem::rdma {

namespace {

VerbsLibrary g_verbs;
RdmaCmLibrary g_rdma_cm;
std::once_flag g_load_once;
std::string g_load_error;

constexpr const char* kNoDevice =
    "this machine has no RDMA device: `rdma link` shows none (for Soft-RoCE: modprobe rdma_rxe, "
    "then `rdma link add rxe0 type rxe netdev ETH`; docs/fabrics.md tells more)";

class Loader {
 public:
  Loader(const char* file, const char* package) : file_(file) {
    // Local: its symbols are for nobody else.
    library_ = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (library_ == nullptr) {
      g_load_error =
          fmt::format("cannot load {}: {} (Debian's package {})", file, dlerror(), package);
    }
  }
  template <typename Function>
  void Find(Function& function, const char* name) {
    if (library_ == nullptr) return;
    function = reinterpret_cast<Function>(dlsym(library_, name));
    if (function == nullptr) g_load_error = fmt::format("{} has no function {}", file_, name);
  }

 private:
  const char* file_;
  void* library_;
};

void Load() {
  Loader verbs("libibverbs.so.1", "libibverbs1");
  verbs.Find(g_verbs.get_device_list, "ibv_get_device_list");
  verbs.Find(g_verbs.free_device_list, "ibv_free_device_list");
  verbs.Find(g_verbs.get_device_name, "ibv_get_device_name");
  verbs.Find(g_verbs.open_device, "ibv_open_device");
  verbs.Find(g_verbs.close_device, "ibv_close_device");
  verbs.Find(g_verbs.query_device, "ibv_query_device");
  verbs.Find(g_verbs.query_port, "ibv_query_port");
  verbs.Find(g_verbs.alloc_pd, "ibv_alloc_pd");
  verbs.Find(g_verbs.dealloc_pd, "ibv_dealloc_pd");
  verbs.Find(g_verbs.reg_mr, "ibv_reg_mr");
  verbs.Find(g_verbs.dereg_mr, "ibv_dereg_mr");
  verbs.Find(g_verbs.create_cq, "ibv_create_cq");
  verbs.Find(g_verbs.destroy_cq, "ibv_destroy_cq");
  if (!g_load_error.empty()) return;
  Loader cm("librdmacm.so.1", "librdmacm1");
  cm.Find(g_rdma_cm.create_event_channel, "rdma_create_event_channel");
  cm.Find(g_rdma_cm.destroy_event_channel, "rdma_destroy_event_channel");
  cm.Find(g_rdma_cm.create_id, "rdma_create_id");
  cm.Find(g_rdma_cm.destroy_id, "rdma_destroy_id");
  cm.Find(g_rdma_cm.set_option, "rdma_set_option");
  cm.Find(g_rdma_cm.bind_addr, "rdma_bind_addr");
  cm.Find(g_rdma_cm.resolve_addr, "rdma_resolve_addr");
  cm.Find(g_rdma_cm.resolve_route, "rdma_resolve_route");
  cm.Find(g_rdma_cm.create_qp, "rdma_create_qp");
  cm.Find(g_rdma_cm.destroy_qp, "rdma_destroy_qp");
  cm.Find(g_rdma_cm.connect, "rdma_connect");
  cm.Find(g_rdma_cm.disconnect, "rdma_disconnect");
  cm.Find(g_rdma_cm.listen, "rdma_listen");
  cm.Find(g_rdma_cm.accept, "rdma_accept");
  cm.Find(g_rdma_cm.reject, "rdma_reject");
  cm.Find(g_rdma_cm.get_cm_event, "rdma_get_cm_event");
  cm.Find(g_rdma_cm.ack_cm_event, "rdma_ack_cm_event");
  cm.Find(g_rdma_cm.get_src_port, "rdma_get_src_port");
}

std::string MemlockLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return "unlimited";
  return fmt::format("{} KiB", limit.rlim_cur / 1024);
}

}  // namespace

const VerbsLibrary& Verbs() { return g_verbs; }
const RdmaCmLibrary& RdmaCm() { return g_rdma_cm; }

Status CheckVerbs() {
  std::call_once(g_load_once, Load);
  if (!g_load_error.empty()) return Status::Unavailable(g_load_error);
  int count = 0;
  ibv_device** const devices = g_verbs.get_device_list(&count);
  const int error = errno;
  if (devices != nullptr) g_verbs.free_device_list(devices);
  if (devices != nullptr && count > 0) return Status::Ok();
  // A kernel without RDMA has no list to give.
  if (devices != nullptr || error == ENOSYS || error == ENODEV || error == ENOENT) {
    return Status::Unavailable(kNoDevice);
  }
  return VerbsError("listing the devices", error);
}

Status VerbsError(const char* what, int error) {
  switch (error) {
    case ENODEV:
    case ENOENT:
      return Status::Unavailable(
          fmt::format("verbs: {}: no RDMA device has that address or leads there (`tandem fabrics` "
                      "lists devices with their addresses), or the kernel has no rdma_ucm",
                      what));
    case EADDRNOTAVAIL:
      return Status::Unavailable(
          fmt::format("verbs: {}: no RDMA device has that address (`tandem fabrics` lists devices "
                      "with their addresses)",
                      what));
    case EACCES:
    case EPERM:
      return Status::NotPermitted(
          fmt::format("verbs: {}: not permitted: /dev/infiniband/rdma_cm and uverbs* must be open "
                      "to this user",
                      what));
    case ENOMEM:
    case EAGAIN:
      return Status::ResourceExhausted(
          fmt::format("verbs: {}: no memory: this process may pin {} (`ulimit -l`; raise memlock "
                      "in /etc/security/limits.conf)",
                      what, MemlockLimit()));
    default:
      return Status::Unavailable(fmt::format("verbs: {}: {}", what, std::strerror(error)));
  }
}

const char* TroubleOf(ibv_wc_status status) {
  switch (status) {
    case IBV_WC_SUCCESS:
      return "nothing is wrong";
    case IBV_WC_LOC_LEN_ERR:
      return "a transfer is longer than this device allows (LOC_LEN_ERR)";
    case IBV_WC_LOC_QP_OP_ERR:
      return "this device found its queue pair in disorder (LOC_QP_OP_ERR)";
    case IBV_WC_LOC_EEC_OP_ERR:
    case IBV_WC_INV_EECN_ERR:
    case IBV_WC_INV_EEC_STATE_ERR:
    case IBV_WC_REM_INV_RD_REQ_ERR:
    case IBV_WC_LOC_RDD_VIOL_ERR:
      return "the device reports an error of reliable datagrams, which are not used";
    case IBV_WC_LOC_PROT_ERR:
      return "a local buffer is not registered with this device (LOC_PROT_ERR)";
    case IBV_WC_WR_FLUSH_ERR:
      return "the connection was closed with the transfer under way (WR_FLUSH_ERR)";
    case IBV_WC_MW_BIND_ERR:
      return "the device reports an error of memory windows, which are not used (MW_BIND_ERR)";
    case IBV_WC_BAD_RESP_ERR:
      return "the server's device gave an answer that makes no sense (BAD_RESP_ERR)";
    case IBV_WC_LOC_ACCESS_ERR:
      return "this device may not write to a local buffer (LOC_ACCESS_ERR)";
    case IBV_WC_REM_INV_REQ_ERR:
      return "the server's device takes the request for invalid (REM_INV_REQ_ERR)";
    case IBV_WC_REM_ACCESS_ERR:
      return "the server's device refuses the access: wrong key or out of bounds (REM_ACCESS_ERR)";
    case IBV_WC_REM_OP_ERR:
      return "the server's device could not serve the request (REM_OP_ERR)";
    case IBV_WC_RETRY_EXC_ERR:
      return "the server's device does not answer: is the server alive, the link up, and on RoCE "
             "UDP port 4791 open? (RETRY_EXC_ERR)";
    case IBV_WC_RNR_RETRY_EXC_ERR:
      return "the server has posted no buffer to receive into, which one-sided transfers do not "
             "need (RNR_RETRY_EXC_ERR)";
    case IBV_WC_REM_ABORT_ERR:
      return "the server's device gave the request up (REM_ABORT_ERR)";
    case IBV_WC_FATAL_ERR:
      return "this device has failed (FATAL_ERR)";
    case IBV_WC_RESP_TIMEOUT_ERR:
      return "the server's device answered too late (RESP_TIMEOUT_ERR)";
    case IBV_WC_GENERAL_ERR:
      return "the device reports an error without a cause (GENERAL_ERR)";
    case IBV_WC_TM_ERR:
    case IBV_WC_TM_RNDV_INCOMPLETE:
      return "the device reports an error of tag matching, which is not used";
  }
  return "the device reports an error that is not known here";
}

const char* TroubleOf(rdma_cm_event_type event, int status) {
  switch (event) {
    case RDMA_CM_EVENT_ADDR_ERROR:
      return "no RDMA device of this machine leads to the server's address";
    case RDMA_CM_EVENT_ROUTE_ERROR:
      return "there is no route to the server's device (on InfiniBand: does a subnet manager run?)";
    case RDMA_CM_EVENT_UNREACHABLE:
      return status == -ETIMEDOUT ? "the server's device does not answer"
                                  : "the server's device cannot be reached";
    case RDMA_CM_EVENT_REJECTED:
      return "nobody listens there, or the server does not know this client";
    case RDMA_CM_EVENT_CONNECT_ERROR:
      return "the connection could not be made";
    case RDMA_CM_EVENT_DISCONNECTED:
      return "the server has closed the connection";
    case RDMA_CM_EVENT_DEVICE_REMOVAL:
      return "the RDMA device was taken away";
    default:
      return "the connection manager said something unexpected";
  }
}

StatusOr<VerbsPtr<rdma_event_channel>> OpenEventChannel() {
  VerbsPtr<rdma_event_channel> channel(g_rdma_cm.create_event_channel());
  if (channel == nullptr) return VerbsError("opening the connection manager", errno);
  const int flags = fcntl(channel->fd, F_GETFL);
  if (fcntl(channel->fd, F_SETFL, flags | O_NONBLOCK) != 0) {
    return VerbsError("preparing the connection manager", errno);
  }
  return channel;
}

StatusOr<VerbsPtr<rdma_cm_id>> MakeConnectionId(rdma_event_channel& channel) {
  rdma_cm_id* id = nullptr;
  if (g_rdma_cm.create_id(&channel, &id, nullptr, RDMA_PS_TCP) != 0) {
    return VerbsError("making a connection", errno);
  }
  return VerbsPtr<rdma_cm_id>(id);
}

}  // namespace tandem::rdma
