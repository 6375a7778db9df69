// SPDX-License-Identifier: Apache-2.0
// Exchange: the life of one request to a model, from its body to its last byte:
//
//   kReading -> kConnecting -> kWaiting -+-> kStreaming (held, then committed) -+-> kTrailing
//                 ^     |         |      +-> kCollecting -> kPassing (too large) -+-> kOver
//                 |     |         |      '-> kFailing (an error reply's body)
//                 |     v         v              |
//                 '- kBackoff <---+--------------'
//
// Those between the first and the last are its leg's (leg.h), kAsking here. The way back, over
// kBackoff or not, is for another key, endpoint or model, while nothing was committed; when none is
// left the client is answered: kOver.
//
// One commit point: until the first content event any failure may move on to the next candidate of
// the plan, by the retry rule (threats-and-faults.md 4.1); after it, none: the client gets an error
// event and no clean end, unless the stream may be carried on (exchange_continuation.cc): then the
// way back is for the rest of it. The client going away cancels what is upstream in the same turn.
//
// Belongs to its shard's Gateway. Relay (relay.h) is the running stream; all that only the request
// needs is freed at the commit, or once the stream cannot be carried on. Where records are kept,
// the end of an answer waits at the client's connection until its own is durable
// (exchange_record.cc).
#pragma once

#include <memory>
#include <string>

#include "base/block.h"
#include "dialect/embeddings.h"
#include "dialect/final_error.h"
#include "dialect/limit_answers.h"
#include "dialect/next_step.h"
#include "dialect/openai_error.h"
#include "dialect/openai_request.h"
#include "dialect/prompt_input.h"
#include "dialect/request_headers.h"
#include "gateway/content_notes.h"
#include "gateway/continuation.h"
#include "gateway/deployment.h"
#include "gateway/key_loads.h"
#include "gateway/key_table.h"
#include "gateway/leg.h"
#include "gateway/metering.h"
#include "gateway/request_keys.h"
#include "gateway/request_teller.h"
#include "gateway/route_planning.h"
#include "gateway/route_trace.h"
#include "gateway/routes.h"
#include "gateway/shard_ledger.h"
#include "gateway/shard_limits.h"
#include "gateway/shard_report.h"
#include "gateway/snapshot.h"
#include "gateway/usage_notes.h"
#include "policy/attempt_rule.h"
#include "proto/json_scan.h"

namespace leat::gateway {

class Client;

// How a client is told where a body of no stated length ends.
enum class ClientFraming : std::uint8_t {
  kChunked,     // HTTP/1.1
  kUntilClose,  // HTTP/1.0: by its connection's end, which a cut looks like
  kFrames,      // HTTP/2: not in the bytes
};
class Gateway;

class Exchange final : public ListNode<Exchange>,
                       private shard::Deferred,
                       private ledger::DurableWaiter {
 public:
  Exchange(Gateway& gateway, Client& client, const Route& route, const RequestKey& key,
           bool is_sdk_retry);
  ~Exchange() = default;

  // ---- Reading: the connection fills body(), then scan()s what came ----
  BlockRef& body() { return request_->body; }
  // False: the body is refused; the fault says why.
  bool scan(bool whole);
  const proto::JsonFault& fault() const { return request_->scanner.fault(); }
  // What a header says of the conversation (x-session-id).
  void set_session(std::string_view session) {
    if (session.size() <= dialect::kSessionIdMax) request_->session = session;
  }
  // The longest that the client lets events of its stream wait (x-leat-max-hold-ms), as it is
  // spelt: what is no number counts as 0.
  void set_hold_max(std::string_view milliseconds);
  // Whose request it is, by its head.
  void note_app(std::string_view request_id, std::string_view referer, std::string_view title) {
    notes_.note_app(request_id, referer, title);
  }
  // Provider keys that came with the request; null: none.
  void set_request_keys(std::unique_ptr<RequestKeys> keys) { request_keys_ = std::move(keys); }
  // The client wants to know what the router did, where its face tells that.
  void trace_route();
  // Bytes of body charged to the key until the request's end.
  void charge_body(std::uint64_t bytes);

  // The body is whole and scanned. Answers through the client, at once or later.
  void start();

  // ---- From the client's connection ----
  // Gone: hangs up upstream. The client is not touched any more.
  void client_gone();
  void client_drained();
  // The client was answered otherwise: nothing of this exchange is wanted any more.
  void abandon();
  std::uint32_t key() const { return key_; }
  // For whoever looks on (exchange_report.cc).
  RunningRequest report() const;
  // That are not counted yet.
  std::uint64_t events_running() const { return state_ == State::kOver ? 0 : leg_->relay.events(); }

  bool is_decided_by(const Deployment& deployment) const { return deployment_.is(deployment); }
  // Its limits are not decided yet.
  bool is_before_admission() const {
    return state_ == State::kReading || state_ == State::kAdmitting;
  }

 private:
  friend class Gateway;
  friend class Leg;
  enum class State : std::uint8_t {
    kReading,    // the request's body
    kAdmitting,  // its limits are asked (exchange_admit.cc)
    kBackoff,    // before the only endpoint is asked again
    kAsking,     // the leg's state says more
    kOver,
  };

  // The end of the answer, on its way to the client.
  enum class Ending : std::uint8_t {
    kFree,       // may go out as it is written
    kHeld,       // until the record is durable
    kForbidden,  // there will be no record in time
  };

  // A plan's candidate, as far as an attempt needs it.
  struct Stop {
    policy::EndpointId endpoint = policy::kNoId;
    std::uint8_t model_rank = 0;
    std::uint32_t own_key = 0;  // of the workspace; 0: shared capacity
    bool reasoning_on = false;  // by `:thinking`
    policy::ParameterSet dropped;
    std::string rest;  // of a pattern's model; a copy, since an escaped name lies in no body
  };
  // More candidates than any request has attempts for, with those that are passed over.
  static constexpr std::size_t kStopsMax = 16;

  // What a leg asks, until the commit.
  struct Asked {
    std::uint8_t stop = 0;
    std::uint8_t key = 0;           // of the provider's, or HealthAttempt::kOwnKey
    std::uint64_t keys_tried = 0;   // at this stop, a bit each
    std::size_t traced = 0;         // what the trace calls the attempt
    bool is_hedge = false;          // it began beside one that waited
    bool again = false;             // this endpoint was given a second chance
    bool fresh_connection = false;  // no pooled connection for the next attempt
    bool written = false;           // bytes of this attempt's request went upstream
    BlockRef respelt;  // what of it was written anew: sends point into it until the turn's end
    // Of the head of an error reply whose body is read.
    dialect::ReplyHeaders headers() const {
      return {retry_after, retry_after_ms, should_retry, error_type};
    }
    int status = 0;
    char retry_after[32] = {};
    char retry_after_ms[16] = {};
    char should_retry[8] = {};
    char error_type[64] = {};
  };

  // What the request needs until the commit.
  struct Request {
    explicit Request(const proto::JsonLimits& limits) : scanner(limits) {}
    BlockRef body;
    proto::JsonScanner scanner;
    dialect::ChatRequest chat;   // what all kinds have in common
    dialect::PromptInput input;  // not of a chat
    std::string session;
    KeyDigest key{};  // looked up again where the request is decided
    // What it could come to at most, and what is reserved for that; 0 where nothing limits it.
    policy::Bound bound;
    policy::Bound own_key_bound;  // with what an own key's provider asks; 0: there is none
    policy::AdmissionAmounts amounts;
    dialect::RateLines rates;  // for a refusal
    std::array<Stop, kStopsMax> stops;
    std::uint8_t stop_count = 0;
    std::uint8_t last_stop = 0;  // the furthest that was gone to
    std::uint32_t attempts = 0;
    std::array<Asked, 2> asked;  // by leg, the hedge's second
    Instant hedge_at = kNever;   // unless content comes first
    // What failed, as the client will hear of it if nothing works.
    dialect::FinalError errors;
    dialect::ProviderFailure failure;  // the last one that a provider told
    bool has_failure_detail = false;   // ... which is the last of all
  };

  class Ticket final : public policy::AdmissionTicket {
   public:
    explicit Ticket(Exchange& exchange) : exchange_(exchange) {}

   private:
    void admission_decided() override;
    Exchange& exchange_;
  };

  // What happens to leg_.
  void on_upstream(Result<net::UpstreamCall*> call);
  void on_reply_head(const proto::ResponseHead& head);
  void on_reply_body(std::string_view bytes);
  bool foresee(int depth) const;
  void on_reply_pause();
  void on_reply_end();
  void on_reply_failed(const Error& why);
  net::Stream& on_commit();
  void on_timer();

  // shard
  void run_deferred() override;

  // Before the commit (exchange.cc).
  bool plan();
  bool read_input(std::string_view body, dialect::RoutingFault& fault);
  bool take_plan(const dialect::RoutingFields& fields);
  void refuse_plan(const PlanRefusal& refusal);
  bool refuse_key();
  void refuse_request(std::string_view message, std::string_view param);
  void find_conversation(const dialect::RoutingFields& fields);
  bool choose_first();
  void go_to(std::uint8_t stop, std::uint8_t key);
  void attempt();
  void list_asked(const dialect::FinalAnswer& answer, RefusalLists& lists) const;
  bool respell(dialect::EndpointShape& shape);
  void send_request(net::UpstreamCall& call);
  void take_error_head(const proto::ResponseHead& head);
  void note_limits(const proto::ResponseHead& head);
  void collect(std::string_view bytes, std::size_t bytes_max);
  void provider_failed(const dialect::ProviderFailure& failure);
  void failed(dialect::ErrorKind kind, dialect::Attempted attempted);
  void failed_here(dialect::ErrorKind kind);
  void move_on(dialect::Attempted attempted, const dialect::ProviderFailure& failure);
  bool move_to(bool same_model);
  bool ask_again(const dialect::ProviderFailure& failure);
  bool has_stop(bool same_model) const;
  bool may_attempt(std::uint8_t stop, bool is_same_endpoint);
  void count_in_budgets(bool is_retry, const policy::RetryBudget* counted);
  void end_attempt(policy::OutcomeClass outcome, int status, Duration wait);
  void succeeded(const dialect::ChatUsage& usage);
  void give_up();
  void release_request();
  void finish_collected();

  // What it may use, and what it did (exchange_admit.cc).
  bool take_limits(const KeyDirectory::Found& found, const dialect::RoutingFields& fields);
  policy::Bound bound_at(const Stop& stop, const policy::ChargeDemand& demand) const;
  void add_second_prompt(policy::ChargeDemand demand);
  std::uint32_t default_cap() const;
  void admit();
  void admitted_or_not();
  void note_rates();
  void begin();
  bool refuse_unpriced();
  void refuse_yielded();
  void refuse_limit();
  dialect::RateLines rate_lines() const;
  std::int64_t now_unix_ms() const;
  void settle_limits(const Metered& metered);
  void release_limits();

  // Two legs at once (exchange_hedge.cc).
  policy::HedgeFacts hedge_facts() const;
  void plan_hedge();
  void hedge();
  bool may_hedge(std::uint8_t stop, const policy::HedgeFacts& facts);
  Leg* other_leg() { return leg_ == &first_ ? hedge_.get() : &first_; }
  bool other_goes_on();
  void commit_leg();
  void drop_other(policy::Fault fault);

  // The running answer (exchange_relay.cc).
  void read_events(std::string_view bytes);
  void take_step(RelayStep step);
  void finish_stream();
  void pass_collected_on();
  void cut(dialect::ErrorKind kind, const dialect::ErrorDetail& detail,
           policy::AnswerEnd end = policy::AnswerEnd::kError);
  void check_backlog();
  void mind_hold();
  void begin_acks();
  void mind_acks();
  void resume(Leg& leg);
  // A broken stream that is carried on (exchange_continuation.cc).
  bool is_carrying_on() const {
    return continuation_ != nullptr && continuation_->stage == Continuation::Stage::kOpen;
  }
  bool continues(const Stop& stop) const;
  bool may_carry(const Stop& stop) const;
  bool has_carrier() const;
  void prepare_continuation(RelayOptions& options, dialect::ChatIdentity& identity);
  void mind_text();
  bool can_carry_on(dialect::Attempted attempted, const dialect::ProviderFailure& failure) const;
  void broke(dialect::ErrorKind kind, dialect::Attempted attempted,
             const dialect::ProviderFailure* failure,
             policy::AnswerEnd end = policy::AnswerEnd::kError);
  void tell_break();
  void close_seam();
  // Whole answers (exchange_answers.cc).
  void finish_embeddings(std::string_view body);
  bool accept(dialect::ChatKind kind, const dialect::ChatError& error);
  void finish_answer(const dialect::ChatUsage& usage);
  void write_answer(std::string_view body, const Metered& metered);
  void write_provider_answer(std::string_view body, const dialect::ChatUsage& usage,
                             const Metered& metered);
  bool write_own_answer(std::string_view body, const Metered& metered,
                        dialect::EmbeddingsAnswer* vectors);
  // What it used and costs (exchange_settle.cc).
  void note_request(const dialect::RoutingFields& fields);
  void note_answer(std::string_view upstream_id, std::string_view native_finish_reason);
  Metered meter_answer(const dialect::ChatUsage& usage, std::uint64_t content_bytes,
                       policy::AnswerEnd end) const;
  Metered meter_stream(const dialect::ChatUsage& usage, policy::AnswerEnd end) const;
  dialect::UsageCost cost_of(const dialect::ChatUsage& usage) const;
  void settle(const Metered& metered, ledger::AttemptOutcome outcome, int status);
  void keep_tail(std::string_view bytes);
  // Its record, and the end that waits for it (exchange_record.cc).
  bool begin_record();
  void refuse_record();
  void append_record(const Metered& metered, UsageNotes::End& end);
  void on_durable(bool is_durable) override;
  void end_client(bool clean);
  bool refuse_end();
  void leave_client();
  void settle_unfinished(policy::AnswerEnd end);
  void settle_unserved();
  // What was said, for who logs it (exchange_content.cc).
  void begin_content();
  void note_content(std::string_view body);
  void uncharge_content();
  void tell_content();
  // Who listens is told that it has ended, once (exchange_record.cc).
  void tell_story();
  void tell_ended();

  std::string_view stage() const;
  void drop_upstream();
  void set_deadline();
  void over(bool clean);
  void account();
  Asked& asked() const { return request_->asked[leg_ == &first_ ? 0 : 1]; }
  const Stop& stop() const { return request_->stops[asked().stop]; }
  const policy::Endpoint& endpoint() const;
  const SnapshotProvider& provider() const;
  std::string_view provider_name() const;
  bool is_over_time() const;
  // Provider keys of the client's own (exchange_own_keys.cc).
  std::optional<std::uint8_t> key_for(const Stop& stop);
  OwnKeyRef own_key_ref(const Stop& stop) const;
  bool may_use_own_key(const Stop& stop) const;
  bool choose_resting();
  std::optional<std::string_view> bearer() const;
  dialect::ProviderFailure without_secret(const dialect::ProviderFailure& failure) const;
  MoneyTerms money() const;
  void raise_own_key_bound(const Stop& stop, const policy::ChargeDemand& demand,
                           const policy::Bound& fee, policy::Bound& most) const;
  // What leg_ brings goes to the client already.
  bool is_committed() const {
    const bool streams = leg_->state == Leg::State::kStreaming;
    return request_ == nullptr || (streams && leg_->relay.is_committed());
  }
  Duration first_token_limit() const;
  dialect::ChatIdentity identity() const;
  dialect::AnswerForm answer_form() const {
    return kind_ == RequestKind::kText ? dialect::AnswerForm::kText : dialect::AnswerForm::kChat;
  }

  Gateway& gateway_;
  DeploymentUse deployment_;          // that it is decided by, and ends with
  Client* client_;                    // null: gone, or answered
  std::unique_ptr<Request> request_;  // null after the commit, unless what follows may need it
  std::unique_ptr<Continuation> continuation_;  // null: not allowed, or not begun
  std::unique_ptr<RouteTrace> trace_;           // null: nobody asked
  std::unique_ptr<RequestKeys> request_keys_;   // null: none came, or it is over
  Leg first_{*this};
  std::unique_ptr<Leg> hedge_;  // null: not hedged, or the first has won
  Leg* leg_ = &first_;          // that something happens to
  Conversation conversation_;
  UsageNotes notes_;
  RequestSettled* told_;                   // null: nobody listens, or they know
  std::unique_ptr<ContentNotes> content_;  // null: its content is not logged, or was
  std::string_view finish_reason_;         // in our words; static
  std::string_view error_type_;            // what the client was refused with; static
  std::uint16_t status_ = 0;               // of the answer to the client; 0: none was begun
  MeterFacts size_;       // of the request; what it says of the answer is not filled in
  MoneyTerms money_;      // between list prices and what this request pays
  Ticket ticket_{*this};  // its place in admission
  policy::AdmissionAccount* account_ = nullptr;  // null: nothing limits it, or no more
  LimitsMet limits_met_;
  std::uint32_t output_default_max_ = 0;             // the key's; 0: the model's alone
  std::uint32_t hold_ms_max_ = HoldOptions::kMsMax;  // the client's and its key's
  WallTime admitted_{};                              // the moment of its prices
  Instant started_{};
  Instant request_deadline_ = kNever;
  ShardLedger::Slot slot_ = ledger::OpenTable::kNoSlot;  // while its record is not written
  std::uint32_t key_;
  std::uint32_t workspace_ = 0;  // that its key belongs to
  std::uint32_t organisation_ = 0;
  std::uint64_t body_charged_ = 0;
  std::uint64_t passed_bytes_ = 0;  // of the answer, in kPassing
  KeyLoad* load_;                   // of its key; null once it is over
  dialect::Face face_;
  RequestKind kind_;
  State state_ = State::kReading;
  bool is_sdk_retry_;
  bool streams_ = false;
  bool wants_usage_ = false;
  bool wants_cost_ = false;
  bool hides_reasoning_ = false;
  bool is_begun_ = false;  // a provider may have been asked: it will have a record
  bool is_settled_ = false;
  Ending ending_ = Ending::kFree;
  bool ends_clean_ = false;      // with kHeld
  bool has_begun_body_ = false;  // of an answer that is passed on unseen
  bool holds_ = false;           // what comes of leg_'s stream was told to wait, the last time
  ClientFraming framing_;
  char id_[36] = {};  // gen-...
};

}  // namespace leat::gateway
