// SPDX-License-Identifier: Apache-2.0
// The dashboard's part of the admin listener: its files, what it asks, and the events that it is
// sent. The files and the counts are anybody's who reaches the listener; money, requests and names
// of keys want a credential, which the page shows as a bearer: a path never has it.
#include <algorithm>

#include "control/admin_server.h"
#include "control/dashboard_assets.h"
#include "proto/http1_write.h"

namespace leat::control {

namespace {

using dialect::ErrorKind;

constexpr std::string_view kFolder = "/dashboard";
constexpr std::string_view kEventsPath = "/dashboard/events";
constexpr std::string_view kFramePath = "/dashboard/frame";
// That management answers.
constexpr std::string_view kDataPaths[] = {"/dashboard/usage", "/dashboard/request"};
constexpr std::size_t kHeadRoom = 1'024;
// A watcher that has read nothing for so many frames is gone.
constexpr std::uint32_t kFramesMissedMax = 60;
// Nothing but our own files, run from nowhere else, sent nowhere else, shown in nobody's frame.
constexpr std::string_view kContentPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const DashboardAsset* find_asset(std::string_view path) {
  for (const DashboardAsset& asset : dashboard_assets()) {
    if (asset.path == path) return &asset;
  }
  return nullptr;
}

}  // namespace

bool AdminConn::is_dashboard() const {
  const std::string_view path = request_->path;
  return path == "/" || path == kFolder || path.starts_with("/dashboard/");
}

bool AdminConn::asks_dashboard_data() const {
  return request_->path == kEventsPath || request_->path == kFramePath ||
         std::ranges::find(kDataPaths, request_->path) != std::end(kDataPaths);
}

void AdminConn::answer_dashboard() {
  if (request_->method != proto::Method::kGet) {
    return answer_error(ErrorKind::kMethodNotAllowed, {}, "GET");
  }
  if (request_->path == kEventsPath) return begin_watching();
  if (request_->path == kFramePath) return answer_frame();
  if (asks_dashboard_data()) return ask_management();
  answer_asset();
}

void AdminConn::answer_asset() {
  const bool is_page = request_->path == "/" || request_->path == kFolder;
  const DashboardAsset* asset = find_asset(is_page ? "/dashboard" : request_->path);
  if (asset == nullptr) return answer_error(ErrorKind::kNotFound, {});
  const proto::Field fields[] = {
      {"etag", asset->tag},
      {"cache-control", "no-cache"},
      {"content-security-policy", kContentPolicy},
      {"x-content-type-options", "nosniff"},
      {"referrer-policy", "no-referrer"},
  };
  const bool is_known = request_->known_tag == asset->tag;
  answer(is_known ? 304 : 200, asset->content_type, is_known ? "" : asset->text(), fields);
}

// Anybody may, but who shows a key shows a right one. False: answered.
bool AdminConn::may_look() {
  if (!request_->has_credential || request_->actor) return true;
  const Instant now = server_.shard().now();
  const bool is_blocked = server_.addresses().is_blocked(peer_, now);
  if (!is_blocked) server_.addresses().key_failed(peer_, now);
  answer_error(is_blocked ? ErrorKind::kTooManyFailures : ErrorKind::kAuthentication, {});
  return false;
}

void AdminConn::answer_frame() {
  if (!may_look()) return;
  const bool is_operator = request_->actor && request_->actor->is_operator;
  answer(200, "application/json", server_.views().frame(is_operator));
}

void AdminConn::begin_watching() {
  if (!may_look()) return;
  if (server_.watchers().count() >= AdminServer::kWatchersMax) {
    return answer_error(ErrorKind::kOverloaded, {});
  }
  // A management key is one organisation's; what runs is everybody's.
  const bool is_operator = request_->actor && request_->actor->is_operator;
  watching_ = is_operator ? Watching::kOperators : Watching::kEverybodys;
  server_.shard().wheel().cancel(idle_timer_);
  proto::ResponseOptions options;
  options.framing = proto::BodyFraming::kUntilClose;
  options.keep_alive = false;
  char* place = stream_->prepare(kHeadRoom);
  const auto head = proto::write_sse_head({place, kHeadRoom}, options);
  LEAT_CHECK(head.has_value());
  stream_->commit(head->size());
  input_.clear();
  send_event("history", server_.views().history());
}

void AdminConn::send_event(std::string_view name, std::string_view json) {
  if (stream_->backlog_bytes() > 0) {
    if (++frames_missed_ > kFramesMissedMax) close();
    return;
  }
  frames_missed_ = 0;
  stream_->write("event: ");
  stream_->write(name);
  stream_->write("\ndata: ");
  stream_->write(json);
  stream_->write("\n\n");
}

}  // namespace leat::control
