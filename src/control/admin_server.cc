// SPDX-License-Identifier: Apache-2.0
#include "control/admin_server.h"

#include "control/metrics_text.h"
#include "proto/http1_write.h"

namespace leat::control {

namespace {

constexpr Duration kIdleTime = seconds(75);
constexpr std::size_t kHeadRoom = 512;
constexpr std::string_view kPlainText = "text/plain; charset=utf-8";

}  // namespace

AdminServer::AdminServer(shard::Shard& shard, Views views)
    : shard_(shard),
      views_(std::move(views)),
      streams_(shard),
      listener_(shard, *this, /*is_tls=*/false) {}

AdminServer::~AdminServer() {
  listener_.close();
  while (!open_.empty()) open_.front().close();
}

Result<io::Address> AdminServer::listen(const io::Address& address) {
  LEAT_TRY_VOID(listener_.open(address));
  return listener_.address();
}

void AdminServer::on_connection(io::SocketId socket, const io::Address&, bool) {
  if (conns_.live() >= kConnectionsMax) return shard_.io().close(socket);
  AdminConn* conn = conns_.create(*this);
  open_.push_back(*conn);
  conn->attach(streams_.adopt(socket, nullptr, conn->stream_user()));
}

void AdminConn::attach(net::Stream& stream) {
  stream_ = &stream;
  server_.shard().wheel().set(idle_timer_, server_.shard().now() + kIdleTime);
}

void AdminConn::close() {
  if (closed_) return;
  closed_ = true;
  ListNode<AdminConn>::unlink();
  server_.shard().wheel().cancel(idle_timer_);
  stream_->abort();
  server_.shard().defer(*this);
}

void AdminConn::finish() {
  if (closed_) return;
  closed_ = true;
  ListNode<AdminConn>::unlink();
  server_.shard().wheel().cancel(idle_timer_);
  stream_->finish();
  server_.shard().defer(*this);
}

void AdminConn::run_deferred() {
  server_.free(this);
}

void AdminConn::on_bytes(std::span<char> bytes) {
  if (closed_) return;
  input_.append(bytes.data(), bytes.size());
  while (!closed_ && !input_.empty() && read_request()) {
  }
}

// False: the head is not whole yet, or the connection is over.
bool AdminConn::read_request() {
  proto::RequestHead head;
  const proto::HeadStatus status = parser_.parse(input_, head);
  if (status.need_more()) return false;
  if (!status.complete()) {
    answer(400, kPlainText, "bad request\n", false);
    return false;
  }
  const std::string path(head.path);
  const bool is_get = head.method == proto::Method::kGet;
  const bool keep = head.keep_alive && !head.has_body();
  input_.erase(0, status.head_bytes);
  parser_.reset();
  server_.shard().wheel().set(idle_timer_, server_.shard().now() + kIdleTime);
  if (!is_get) {
    answer(405, kPlainText, "only GET\n", false);
  } else if (path == "/healthz") {
    answer(200, kPlainText, "ok\n", keep);
  } else if (path == "/readyz") {
    const bool ready = server_.views().is_ready();
    answer(ready ? 200 : 503, kPlainText, ready ? "ready\n" : "draining\n", keep);
  } else if (path == "/metrics") {
    answer(200, MetricsText::kContentType, server_.views().metrics(), keep);
  } else {
    answer(404, kPlainText, "not found\n", keep);
  }
  return !closed_;
}

void AdminConn::answer(int status, std::string_view content_type, std::string_view body,
                       bool keep) {
  proto::ResponseOptions options;
  options.status = status;
  options.content_length = body.size();
  options.content_type = content_type;
  options.keep_alive = keep;
  char* place = stream_->prepare(kHeadRoom);
  const auto head = proto::write_response_head({place, kHeadRoom}, options);
  LEAT_CHECK(head.has_value());
  stream_->commit(head->size());
  stream_->write(body);
  if (!keep) finish();
}

}  // namespace leat::control
