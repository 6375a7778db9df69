// SPDX-License-Identifier: Apache-2.0
#include "control/admin_server.h"

#include <algorithm>
#include <utility>

#include "control/metrics_text.h"
#include "control/percent_text.h"
#include "proto/http1_write.h"

namespace leat::control {

namespace {

using dialect::ErrorKind;

constexpr Duration kIdleTime = seconds(75);
constexpr std::size_t kHeadRoom = 1'024;
constexpr std::string_view kPlainText = "text/plain; charset=utf-8";
constexpr std::string_view kJson = "application/json";
constexpr std::string_view kApi = "/api/v1";
constexpr std::string_view kExplainPath = "/api/v1/explain";
constexpr std::string_view kReloadPath = "/api/v1/reload";
constexpr std::string_view kTrialQuery = "dry_run=true";

// Who listens on loopback has no other clients: their failed tries count.
Limits limits_here(Limits limits) {
  limits.limit_private_addresses = true;
  return limits;
}

std::string_view name_of(proto::Method method) {
  switch (method) {
    case proto::Method::kGet:
      return "GET";
    case proto::Method::kPost:
      return "POST";
    case proto::Method::kPut:
      return "PUT";
    case proto::Method::kDelete:
      return "DELETE";
    case proto::Method::kPatch:
      return "PATCH";
    default:
      return "";  // that no path takes
  }
}

}  // namespace

AdminServer::AdminServer(shard::Shard& shard, Views views, ManagementDesk& desk,
                         const Limits& limits)
    : shard_(shard),
      views_(std::move(views)),
      desk_(desk),
      limits_(limits_here(limits)),
      addresses_(limits_),
      streams_(shard) {}

void AdminServer::close() {
  network_.listener.close();
  local_.listener.close();
  while (!open_.empty()) open_.front().close();
}

Result<io::Address> AdminServer::listen(const io::Address& address) {
  LEAT_TRY_VOID(network_.listener.open(address));
  return network_.listener.address();
}

Result<void> AdminServer::listen_local(const std::string& path) {
  return local_.listener.open_local(path);
}

void AdminServer::accept(io::SocketId socket, const io::Address& peer, bool is_operator) {
  if (conns_.live() >= kConnectionsMax) return shard_.io().close(socket);
  AdminConn* conn = conns_.create(*this, peer, is_operator);
  open_.push_back(*conn);
  conn->attach(streams_.adopt(socket, nullptr, conn->stream_user()));
}

void AdminServer::leave() {
  local_.listener.close();
  network_.listener.finish();
}

bool AdminServer::owes() {
  for (AdminConn* conn = open_.first(); conn != nullptr; conn = open_.after(*conn)) {
    if (conn->owes()) return true;
  }
  return false;
}

AdminServer::Watchers AdminServer::watchers() {
  Watchers watchers;
  for (AdminConn* conn = open_.first(); conn != nullptr; conn = open_.after(*conn)) {
    if (conn->watching() == AdminConn::Watching::kEverybodys) ++watchers.everybodys;
    if (conn->watching() == AdminConn::Watching::kOperators) ++watchers.operators;
  }
  return watchers;
}

void AdminServer::send_frames(std::string_view everybodys, std::string_view operators) {
  for (AdminConn* conn = open_.first(); conn != nullptr;) {
    AdminConn& watcher = *conn;
    conn = open_.after(*conn);  // before this one may close
    if (watcher.watching() == AdminConn::Watching::kNothing) continue;
    const bool is_operator = watcher.watching() == AdminConn::Watching::kOperators;
    watcher.send_event("frame", is_operator ? operators : everybodys);
  }
}

void AdminConn::attach(net::Stream& stream) {
  stream_ = &stream;
  server_.shard().wheel().set(idle_timer_, server_.shard().now() + kIdleTime);
}

bool AdminConn::owes() const {
  if (watching_ != Watching::kNothing) return false;
  return !has_answered_ || request_ || !input_.empty();
}

void AdminConn::close() {
  if (closed_) return;
  closed_ = true;
  if (ticket_ != 0) server_.desk().forget(ticket_);
  if (reload_ != nullptr) *reload_ = nullptr;
  ListNode<AdminConn>::unlink();
  server_.shard().wheel().cancel(idle_timer_);
  stream_->abort();
  server_.shard().defer(*this);
}

void AdminConn::finish() {
  if (closed_) return;
  closed_ = true;
  if (ticket_ != 0) server_.desk().forget(ticket_);
  if (reload_ != nullptr) *reload_ = nullptr;
  ListNode<AdminConn>::unlink();
  server_.shard().wheel().cancel(idle_timer_);
  stream_->finish();
  server_.shard().defer(*this);
}

void AdminConn::run_deferred() {
  server_.free(this);
}

void AdminConn::on_bytes(std::span<char> bytes) {
  // Who watches has nothing more to say.
  if (closed_ || watching_ != Watching::kNothing) return;
  input_.append(bytes.data(), bytes.size());
  read_requests();
}

void AdminConn::read_requests() {
  while (!closed_ && ticket_ == 0 && reload_ == nullptr && !input_.empty() && read_request()) {
  }
}

bool AdminConn::read_request() {
  if (!request_ && !read_head()) return false;
  if (!(request_->chunked ? read_chunked_body() : read_body())) return false;
  answer_request();
  if (ticket_ == 0 && reload_ == nullptr) request_.reset();
  return !closed_;
}

bool AdminConn::read_head() {
  proto::RequestHead head;
  const proto::HeadStatus status = parser_.parse(input_, head);
  if (status.need_more()) return false;
  if (!status.complete()) {
    answer_error(ErrorKind::kInvalidRequest, {.message = proto::fault_info(status.fault).text});
    return false;
  }
  Request& request = request_.emplace(Request{});
  request.method = head.method;
  request.path = head.path;
  const std::size_t mark = head.target.find('?');
  if (mark != std::string_view::npos) request.query = head.target.substr(mark + 1);
  request.body_left = head.content_length.value_or(0);
  if (head.chunked) request.chunked.emplace();
  const bool waits = head.expect_continue;
  const bool keep = head.keep_alive;
  request.known_tag = head.fields.find("if-none-match");
  if (is_management() || is_reload() || asks_dashboard_data()) note_credential(head);
  input_.erase(0, status.head_bytes);
  parser_.reset();
  server_.shard().wheel().set(idle_timer_, server_.shard().now() + kIdleTime);
  if (request.body_left > server_.limits().small_body_bytes_max) {
    answer_error(ErrorKind::kPayloadTooLarge, {});
    return false;
  }
  if (waits) stream_->write(proto::kContinue);
  request.keep = keep;
  return true;
}

bool AdminConn::read_body() {
  const std::size_t taken = std::min<std::uint64_t>(input_.size(), request_->body_left);
  request_->body.append(input_, 0, taken);
  request_->body_left -= taken;
  input_.erase(0, taken);
  return request_->body_left == 0;
}

bool AdminConn::read_chunked_body() {
  std::string_view in = input_;
  proto::ChunkStep step;
  while ((step = request_->chunked->next(in)).kind == proto::ChunkStep::Kind::kData) {
    request_->body.append(step.data);
    if (request_->body.size() <= server_.limits().small_body_bytes_max) continue;
    request_->keep = false;
    answer_error(ErrorKind::kPayloadTooLarge, {});
    return false;
  }
  if (step.kind == proto::ChunkStep::Kind::kFault) {
    request_->keep = false;
    answer_error(ErrorKind::kInvalidRequest, {.message = proto::fault_info(step.fault).text});
    return false;
  }
  input_.erase(0, input_.size() - in.size());
  return step.kind == proto::ChunkStep::Kind::kEnd;
}

bool AdminConn::is_management() const {
  const std::string_view path = request_->path;
  return server_.desk().is_open() && path.starts_with(kApi) &&
         is_management_path(path.substr(kApi.size()));
}

void AdminConn::note_credential(const proto::RequestHead& head) {
  request_->organisation = head.fields.find("x-leat-organisation");
  request_->has_credential =
      is_operator_ || !head.fields.get(proto::KnownField::kAuthorization).empty();
  if (is_operator_) {
    request_->actor = ManagementActor{.is_operator = true};
    return;
  }
  std::string_view shown = head.fields.get(proto::KnownField::kAuthorization);
  if (shown.size() > 7 && proto::equal_ignoring_case(shown.substr(0, 7), "bearer ")) {
    shown.remove_prefix(7);
  }
  request_->actor = server_.desk().actor_of(shown);
}

// False: it was answered.
bool AdminConn::may_manage() {
  const Instant now = server_.shard().now();
  if (!is_operator_ && server_.addresses().is_blocked(peer_, now)) {
    answer_error(ErrorKind::kTooManyFailures, {});
    return false;
  }
  if (request_->actor) return true;
  server_.addresses().key_failed(peer_, now);
  answer_error(ErrorKind::kAuthentication, {});
  return false;
}

bool AdminConn::is_reload() const {
  return request_->path == kReloadPath;
}

void AdminConn::ask_reload() {
  if (request_->method != proto::Method::kPost) {
    return answer_error(ErrorKind::kMethodNotAllowed, {}, "POST");
  }
  if (!may_manage()) return;
  if (!request_->actor->is_operator) return answer_error(ErrorKind::kPermissionDenied, {});
  const bool is_trial = request_->query == kTrialQuery;
  if (!is_trial && !request_->query.empty()) {
    return answer_error(ErrorKind::kInvalidRequest,
                        {.message = "The query may only be dry_run=true."});
  }
  reload_ = std::make_shared<AdminConn*>(this);
  server_.views().reload(is_trial, [asking = reload_](const ReloadResult& outcome) {
    if (*asking != nullptr) (*asking)->answer_reload(outcome);
  });
  waits_for_reload_ = reload_ != nullptr;
  if (waits_for_reload_) stream_->pause();
}

void AdminConn::answer_reload(const ReloadResult& outcome) {
  reload_.reset();
  const bool has_waited = std::exchange(waits_for_reload_, false);
  answer(outcome.status, kJson, result_json(outcome));
  if (closed_ || !has_waited) return;
  request_.reset();
  stream_->resume();
  read_requests();
}

void AdminConn::ask_management() {
  if (!may_manage()) return;
  AccountJob job;
  job.method = name_of(request_->method);
  job.path = is_dashboard() ? request_->path : request_->path.substr(kApi.size());
  job.query = std::move(request_->query);
  job.body = std::move(request_->body);
  job.actor = *request_->actor;
  job.organisation = std::move(request_->organisation);
  ticket_ = server_.desk().ask(std::move(job),
                               [this](const ManagementAnswer& made) { answer_management(made); });
  if (ticket_ == 0) return answer_error(ErrorKind::kOverloaded, {});
  stream_->pause();
}

void AdminConn::answer_management(const ManagementAnswer& made) {
  ticket_ = 0;
  answer(made.status, kJson, made.body);
  request_.reset();
  if (closed_) return;
  stream_->resume();
  read_requests();
}

void AdminConn::answer_request() {
  if (is_reload()) return ask_reload();
  if (is_management()) return ask_management();
  if (is_dashboard()) return answer_dashboard();
  const bool is_explain = request_->path == kExplainPath;
  const bool is_view =
      request_->path == "/healthz" || request_->path == "/readyz" || request_->path == "/metrics";
  if (!is_explain && !is_view) return answer_error(ErrorKind::kNotFound, {});
  if (request_->method != (is_explain ? proto::Method::kPost : proto::Method::kGet)) {
    return answer_error(ErrorKind::kMethodNotAllowed, {}, is_explain ? "POST" : "GET");
  }
  if (is_explain) return answer_explain();
  if (request_->path == "/healthz") return answer(200, kPlainText, "ok\n");
  if (request_->path == "/metrics") {
    return answer(200, MetricsText::kContentType, server_.views().metrics());
  }
  const bool ready = server_.views().is_ready();
  answer(ready ? 200 : 503, kPlainText, ready ? "ready\n" : "draining\n");
}

// A request that would be refused is explained like any other: the status of the answer is that of
// the explaining.
void AdminConn::answer_explain() {
  const auto key = key_of_query();
  if (!key) return;
  const auto report = server_.views().explain(request_->body, *key);
  if (!report) {
    return answer_error(ErrorKind::kInvalidRequest,
                        {.message = "There is no key of that name.", .param = "key"});
  }
  answer(200, kJson, *report);
}

std::optional<std::string> AdminConn::key_of_query() {
  constexpr std::string_view kKey = "key=";
  if (request_->query.empty()) return std::string();
  const bool is_key = request_->query.starts_with(kKey) && !request_->query.contains('&');
  if (is_key) return percent_decoded(std::string_view(request_->query).substr(kKey.size()));
  answer_error(ErrorKind::kInvalidRequest, {.message = "The query may only be key=NAME."});
  return std::nullopt;
}

void AdminConn::answer_error(ErrorKind kind, const dialect::ErrorDetail& detail,
                             std::string_view allow) {
  const auto room = std::make_unique_for_overwrite<char[]>(dialect::kErrorBytesMax);
  proto::JsonWriter body({room.get(), dialect::kErrorBytesMax});
  dialect::write_error_body(dialect::Face::kOpenRouter, kind, detail, body);
  const proto::Field fields[] = {{"allow", allow}};
  answer(dialect::error_row(kind).status, kJson, body.text(),
         std::span(fields).first(allow.empty() ? 0 : 1));
}

void AdminConn::answer(int status, std::string_view content_type, std::string_view body,
                       std::span<const proto::Field> fields) {
  const bool keep = request_ && request_->keep;
  proto::ResponseOptions options;
  options.status = status;
  options.content_length = body.size();
  options.content_type = content_type;
  options.keep_alive = keep;
  options.fields = fields;
  if (status == 304) options.framing = proto::BodyFraming::kNone;
  char* place = stream_->prepare(kHeadRoom);
  const auto head = proto::write_response_head({place, kHeadRoom}, options);
  LEAT_CHECK(head.has_value());
  stream_->commit(head->size());
  stream_->write(body);
  has_answered_ = true;
  if (!keep) finish();
}

}  // namespace leat::control
