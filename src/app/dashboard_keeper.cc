// SPDX-License-Identifier: Apache-2.0
#include "app/dashboard_keeper.h"

#include <set>
#include <string>

#include "control/endpoint_sums.h"
#include "control/planned_shares.h"
#include "gateway/owned_message.h"

namespace leat::app {

namespace {

constexpr Duration kFrameInterval = seconds(1);
// A plan is some microseconds for each model; what it hangs on moves slowly.
constexpr Duration kPlanInterval = seconds(5);
constexpr std::size_t kPlannedModelsMax = 32;
// Who asked for a frame will ask for the next one.
constexpr Duration kStillAsked = seconds(5);

std::vector<const gateway::Counters*> counters_of(
    const std::vector<std::unique_ptr<ShardThread>>& threads) {
  std::vector<const gateway::Counters*> counters;
  for (const auto& each : threads) counters.push_back(&each->counters());
  return counters;
}

}  // namespace

void DashboardKeeper::start(control::AdminServer& admin, std::function<bool()> is_ready) {
  admin_ = &admin;
  is_ready_ = std::move(is_ready);
  on_second();
}

void DashboardKeeper::stop() {
  parts_.control.wheel().cancel(timer_);
  admin_ = nullptr;
}

void DashboardKeeper::take(const shard::Message& message) {
  auto report = gateway::owned_of<gateway::ShardReport>(message);
  if (report->generation != parts_.configurations.current().generation()) return;
  const std::uint32_t shard = report->shard;
  reports_[shard] = std::move(report);
}

void DashboardKeeper::change() {
  reports_.clear();
  planned_shares_.clear();
  plan_at_ = {};
}

void DashboardKeeper::on_second() {
  history_.add(control::sample_of(counters_of(parts_.threads), parts_.control.io().wall_now()));
  const bool is_asked = asked_at_ != kNever && parts_.control.now() - asked_at_ < kStillAsked;
  if (admin_->watchers().count() > 0) send_frames();
  if (admin_->watchers().count() > 0 || is_asked) {
    for (const auto& each : parts_.threads) each->ask_report();  // for the next one
  } else {
    reports_.clear();
  }
  parts_.control.wheel().set(timer_, parts_.control.now() + kFrameInterval);
}

// Of the models whose endpoints something is known of.
void DashboardKeeper::plan_shares() {
  if (parts_.control.now() < plan_at_) return;
  plan_at_ = parts_.control.now() + kPlanInterval;
  const policy::Catalogue& catalogue = parts_.configurations.current().catalogue();
  std::set<std::string> models;
  for (const policy::EndpointId id : parts_.health.desk().board().known()) {
    if (models.size() >= kPlannedModelsMax) break;
    models.insert(control::model_name_of(catalogue, catalogue.endpoint(id)));
  }
  const control::ExplainInput input{.snapshot = parts_.configurations.current().snapshot(),
                                    .health = parts_.health.desk().view(parts_.control.now()),
                                    .now = parts_.control.now(),
                                    .wall = parts_.control.io().wall_now()};
  planned_shares_ = control::planned_shares(models, input, parts_.rng);
}

std::string DashboardKeeper::frame(bool is_operator) {
  asked_at_ = parts_.control.now();
  plan_shares();
  return make_frame(is_operator ? control::FrameReader::kOperator
                                : control::FrameReader::kEverybody);
}

void DashboardKeeper::send_frames() {
  plan_shares();
  const auto watchers = admin_->watchers();
  const std::string everybodys =
      watchers.everybodys > 0 ? make_frame(control::FrameReader::kEverybody) : "";
  const std::string operators =
      watchers.operators > 0 ? make_frame(control::FrameReader::kOperator) : "";
  admin_->send_frames(everybodys, operators);
}

std::string DashboardKeeper::make_frame(control::FrameReader reader) {
  const auto counters = counters_of(parts_.threads);
  const auto tables = parts_.configurations.current().tables();
  std::vector<const gateway::ShardReport*> reports;
  for (const auto& [shard, report] : reports_) reports.push_back(report.get());
  return control::dashboard_frame({.shards = counters,
                                   .endpoints = tables,
                                   .catalogue = parts_.configurations.current().catalogue(),
                                   .board = parts_.health.desk().board(),
                                   .planned_shares = planned_shares_,
                                   .reports = reports,
                                   .rates = history_.rates(),
                                   .now = parts_.control.now(),
                                   .wall = parts_.control.io().wall_now(),
                                   .began = began_,
                                   .is_ready = is_ready_()},
                                  reader);
}

}  // namespace leat::app
