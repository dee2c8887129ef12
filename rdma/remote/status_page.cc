#include "rdma/remote/status_page.h"

#include <civetweb.h>
#include <fmt/format.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <utility>
#include <vector>

#include "rdma/remote/control.h"
#include "rdma/remote/memory_server.h"
#include "runtime/base/signals_blocked.h"

namespace tandem::rdma {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily Family(MetricType type, const char* name, const char* help) {
  return {fmt::format("tandem_memserver_{}", name), help, type, {}};
}

MetricFamily MakeGauge(const char* name, const char* help, uint64_t value) {
  MetricFamily family = Family(MetricType::Gauge, name, help);
  family.metric.emplace_back().gauge.value = static_cast<double>(value);
  return family;
}

MetricFamily MakeCounter(const char* name, const char* help, uint64_t value) {
  MetricFamily family = Family(MetricType::Counter, name, help);
  family.metric.emplace_back().counter.value = static_cast<double>(value);
  return family;
}

// prometheus-cpp brings a page of its own, which can serve nothing but metrics; so this uses the
// HTTP library beneath it.
class Page final : public StatusPage {
 public:
  explicit Page(MemoryServer& server) : server_(server) {}
  ~Page() override {
    if (context_ == nullptr) return;
    mg_stop(context_);
    mg_exit_library();
  }

  Status Listen(const std::string& address) {
    const base::SignalsBlocked blocked;
    mg_init_library(MG_FEATURES_DEFAULT);
    const char* options[] = {
        "listening_ports",    address.c_str(), "num_threads", "2", "keep_alive_timeout_ms", "0",
        "request_timeout_ms", "5000",          nullptr};
    const mg_callbacks callbacks{};
    context_ = mg_start(&callbacks, nullptr, options);
    if (context_ == nullptr) {
      mg_exit_library();
      return Status::Unavailable(fmt::format(
          "cannot serve HTTP on {}: is the address this machine's, and free?", Printable(address)));
    }
    mg_server_port port{};
    if (mg_get_server_ports(context_, 1, &port) == 1) port_ = port.port;
    mg_set_request_handler(context_, "/metrics$", Metrics, this);
    mg_set_request_handler(context_, "/healthz$", Health, this);
    mg_set_request_handler(context_, "/", Nothing, this);
    return Status::Ok();
  }

  int port() const override { return port_; }

 private:
  static int Answer(mg_connection* connection, int code, const char* words, const char* type,
                    const std::string& text) {
    const std::string all = fmt::format(
        "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
        code, words, type, text.size(), text);
    mg_write(connection, all.data(), all.size());
    return code;
  }
  static int Metrics(mg_connection* connection, void* page) {
    return Answer(connection, 200, "OK", "text/plain; version=0.0.4",
                  PrometheusText(static_cast<Page*>(page)->server_));
  }
  static int Health(mg_connection* connection, void* page) {
    return static_cast<Page*>(page)->server_.draining()
               ? Answer(connection, 503, "Service Unavailable", "text/plain", "draining\n")
               : Answer(connection, 200, "OK", "text/plain", "ok\n");
  }
  static int Nothing(mg_connection* connection, void*) {
    return Answer(connection, 404, "Not Found", "text/plain", "valid are /metrics and /healthz\n");
  }

  MemoryServer& server_;
  mg_context* context_ = nullptr;
  int port_ = 0;
};

}  // namespace

std::string PrometheusText(MemoryServer& server) {
  const MemoryServerStats s = server.Stats();
  std::vector<MetricFamily> all;
  all.push_back(MakeGauge("capacity_bytes", "Memory to lend in all", s.capacity_bytes));
  all.push_back(MakeGauge("lent_bytes", "Of this, what is lent now", s.lent_bytes));
  all.push_back(MakeGauge("slabs", "Slabs that are lent now", s.lent_bytes / s.slab_bytes));
  all.push_back(MakeGauge("clients", "Heaps that have joined and not left", s.clients));
  all.push_back(MakeGauge("draining", "1 from SIGTERM on", server.draining() ? 1 : 0));
  all.push_back(MakeCounter("joined_total", "Heaps that have joined so far", s.joined));
  all.push_back(MakeCounter("left_total", "Heaps that have left by themselves", s.left));
  all.push_back(MakeCounter("leases_ended_total", "Heaps that vanished: their lease has ended",
                            s.leases_ended));
  all.push_back(MakeCounter("lent_bytes_total", "Memory lent so far", s.lent_bytes_total));
  MetricFamily refused =
      Family(MetricType::Counter, "refused_total", "Requests and connections refused, by reason");
  for (size_t i = 0; i < kRefusalCount; ++i) {
    ClientMetric& metric = refused.metric.emplace_back();
    metric.label = {{"reason", kRefusalNames[i]}};
    metric.counter.value = static_cast<double>(s.refused[i]);
  }
  all.push_back(std::move(refused));
  return prometheus::TextSerializer().Serialize(all);
}

StatusOr<std::unique_ptr<StatusPage>> StatusPage::Start(const std::string& address,
                                                        MemoryServer& server) {
  auto page = std::make_unique<Page>(server);
  if (Status s = page->Listen(address); !s.ok()) return s;
  return std::unique_ptr<StatusPage>(std::move(page));
}

}  // namespace tandem::rdma
