// libibverbs and librdmacm: loaded when they are needed, so that a machine without them runs all
// else; and their errors in words.
//
// Any thread may call anything. Verbs() and RdmaCm() are for after CheckVerbs said yes.
#pragma once

#include <infiniband/verbs.h>
#include <rdma/rdma_cma.h>

#include <memory>

#include "tandem/status.h"

namespace tandem::rdma {

// The functions that are not inline. Those that the headers hide behind macros of the same name
// take what the header's declaration says, which for query_port is an older, shorter structure.
struct VerbsLibrary {
  decltype(&::ibv_get_device_list) get_device_list = nullptr;
  decltype(&::ibv_free_device_list) free_device_list = nullptr;
  decltype(&::ibv_get_device_name) get_device_name = nullptr;
  decltype(&::ibv_open_device) open_device = nullptr;
  decltype(&::ibv_close_device) close_device = nullptr;
  decltype(&::ibv_query_device) query_device = nullptr;
  decltype(&::ibv_query_port) query_port = nullptr;
  decltype(&::ibv_alloc_pd) alloc_pd = nullptr;
  decltype(&::ibv_dealloc_pd) dealloc_pd = nullptr;
  ibv_mr* (*reg_mr)(ibv_pd*, void*, size_t, int) = nullptr;
  decltype(&::ibv_dereg_mr) dereg_mr = nullptr;
  decltype(&::ibv_create_cq) create_cq = nullptr;
  decltype(&::ibv_destroy_cq) destroy_cq = nullptr;
};

struct RdmaCmLibrary {
  decltype(&::rdma_create_event_channel) create_event_channel = nullptr;
  decltype(&::rdma_destroy_event_channel) destroy_event_channel = nullptr;
  decltype(&::rdma_create_id) create_id = nullptr;
  decltype(&::rdma_destroy_id) destroy_id = nullptr;
  decltype(&::rdma_set_option) set_option = nullptr;
  decltype(&::rdma_bind_addr) bind_addr = nullptr;
  decltype(&::rdma_resolve_addr) resolve_addr = nullptr;
  decltype(&::rdma_resolve_route) resolve_route = nullptr;
  decltype(&::rdma_create_qp) create_qp = nullptr;
  decltype(&::rdma_destroy_qp) destroy_qp = nullptr;
  decltype(&::rdma_connect) connect = nullptr;
  decltype(&::rdma_disconnect) disconnect = nullptr;
  decltype(&::rdma_listen) listen = nullptr;
  decltype(&::rdma_accept) accept = nullptr;
  decltype(&::rdma_reject) reject = nullptr;
  decltype(&::rdma_get_cm_event) get_cm_event = nullptr;
  decltype(&::rdma_ack_cm_event) ack_cm_event = nullptr;
  decltype(&::rdma_get_src_port) get_src_port = nullptr;
};

// Whether this machine has RDMA devices and lets us use them; the error says what is missing, and
// what to do about it.
Status CheckVerbs();

const VerbsLibrary& Verbs();
const RdmaCmLibrary& RdmaCm();

// The system's error number of the call `what`, in words that say what to do about it.
Status VerbsError(const char* what, int error);

// What is wrong when a transfer completes with this: a constant, one line.
const char* TroubleOf(ibv_wc_status status);
// The same for an event that ends a connection, or an attempt at one.
const char* TroubleOf(rdma_cm_event_type event, int status);

// Owners of what the libraries make. Declare in the order of making.
struct VerbsCloser {
  void operator()(ibv_context* context) const { (void)Verbs().close_device(context); }
  void operator()(ibv_pd* domain) const { (void)Verbs().dealloc_pd(domain); }
  void operator()(ibv_mr* region) const { (void)Verbs().dereg_mr(region); }
  void operator()(ibv_cq* queue) const { (void)Verbs().destroy_cq(queue); }
  void operator()(rdma_event_channel* channel) const { RdmaCm().destroy_event_channel(channel); }
  // With its queue pair. Waits for events of it that somebody has not acknowledged.
  void operator()(rdma_cm_id* id) const {
    if (id->qp != nullptr) RdmaCm().destroy_qp(id);
    (void)RdmaCm().destroy_id(id);
  }
};
template <typename Thing>
using VerbsPtr = std::unique_ptr<Thing, VerbsCloser>;

// Whose events do not make anybody wait.
StatusOr<VerbsPtr<rdma_event_channel>> OpenEventChannel();
// Of a reliable connection, or of a listener for them.
StatusOr<VerbsPtr<rdma_cm_id>> MakeConnectionId(rdma_event_channel& channel);

}  // namespace tandem::rdma
