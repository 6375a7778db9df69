// SPDX-License-Identifier: Apache-2.0
// Goal: the record of a request says who asked for what, how each attempt went, what was used and
// what it cost, and holds none of the memory that has gone by then.
// Method: notes are fed as an exchange feeds them, from strings that are then destroyed; the record
// goes through the ledger's encoding and back.
#include "gateway/usage_notes.h"

#include <gtest/gtest.h>

#include <vector>

#include "small_snapshot.h"

namespace leat::gateway {
namespace {

using ledger::AttemptOutcome;
using ledger::UsageRecord;

constexpr WallTime kBegan{1'700'000'000'000'000'000};

Instant at(std::int64_t ms) {
  return Instant{} + milliseconds(ms);
}

class UsageNotesTest : public testing::Test {
 protected:
  UsageRecord record(const UsageNotes::End& end) {
    return notes.record(catalogue, metered, money, end);
  }

  SmallSnapshot snapshot{2};
  const policy::Catalogue& catalogue = snapshot.get().catalogue();
  UsageNotes notes{at(100), kBegan};
  Metered metered{.measured = {.usage = {.prompt = 0, .completion = 0, .total = 0}}};
  MoneyTerms money;
};

TEST_F(UsageNotesTest, SaysWhoAskedForWhat) {
  {
    const std::string words = "req-1 https://app.example App acme/one user-7 session-9 up-1 eos";
    const std::string_view all = words;
    notes.note_app(all.substr(0, 5), all.substr(6, 19), all.substr(26, 3));
    notes.note_request(all.substr(30, 8), all.substr(39, 6), all.substr(46, 9));
    notes.note_answer(all.substr(56, 4), all.substr(61, 3));
  }
  const UsageRecord out = record({.generation_id = "gen-1",
                                  .key_id = "k1",
                                  .kind = RequestKind::kEmbeddings,
                                  .model_served = "acme/one:free",
                                  .endpoint = 1,
                                  .finish_reason = "stop",
                                  .price_version = 77,
                                  .status = 200,
                                  .is_streamed = true,
                                  .now = at(350)});
  std::vector<char> bytes(ledger::kRecordBytesMax);
  const std::size_t size = ledger::encode(out, bytes);
  const auto back = ledger::decode(std::span(bytes).first(size));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->generation_id, "gen-1");
  EXPECT_EQ(back->request_id, "req-1");
  EXPECT_EQ(back->key_id, "k1");
  EXPECT_EQ(back->app_referer, "https://app.example");
  EXPECT_EQ(back->app_title, "App");
  EXPECT_EQ(back->model_asked, "acme/one");
  EXPECT_EQ(back->user_id, "user-7");
  EXPECT_EQ(back->session_id, "session-9");
  EXPECT_EQ(back->upstream_id, "up-1");
  EXPECT_EQ(back->native_finish_reason, "eos");
  EXPECT_EQ(back->finish_reason, "stop");
  EXPECT_EQ(back->api, "embeddings");
  EXPECT_EQ(back->model_served, "acme/one:free");
  EXPECT_EQ(back->provider, "p1");
  EXPECT_EQ(back->endpoint, "p1");
  EXPECT_EQ(back->price_version, 77u);
  EXPECT_EQ(back->status, 200);
  EXPECT_TRUE(back->flags.is_streamed);
  EXPECT_FALSE(back->flags.is_cancelled);
  EXPECT_EQ(back->began.unix_ns, kBegan.unix_ns);
  EXPECT_EQ(back->total, milliseconds(250));
}

TEST_F(UsageNotesTest, ClientsWordsAreCutToWhatARecordHolds) {
  notes.note_app("r", std::string(70'000, 'x'), std::string(70'000, 'y'));
  notes.note_request(std::string(70'000, 'm'), "user", "session");
  const UsageRecord out = record({});
  EXPECT_EQ(out.app_referer.size(), ledger::RecordLimits::kClientMax);
  EXPECT_EQ(out.app_title.front(), 'y');
  EXPECT_EQ(out.user_id, "user");
  EXPECT_EQ(out.session_id, "session");
}

TEST_F(UsageNotesTest, APartThatAnotherCarriedOnHasItsOwnCost) {
  metered.charge.upstream = 500;
  const std::uint8_t first = notes.began(0, false, at(110));
  notes.first_token(first, at(150));
  notes.broke(first, 180, "up-1", at(160));
  const std::uint8_t second = notes.began(1, false, at(180));
  notes.first_token(second, at(220));
  notes.ended(second, AttemptOutcome::kSucceeded, 200, at(400));
  notes.note_answer("up-2", "stop");
  const UsageRecord out = record({.endpoint = 1, .now = at(400)});
  ASSERT_EQ(out.attempts_known().size(), 2u);
  EXPECT_EQ(out.attempts[0].outcome, AttemptOutcome::kFailedMidway);
  EXPECT_EQ(out.attempts[0].status, 200);
  EXPECT_EQ(out.attempts[0].cost, 180);
  EXPECT_EQ(out.attempts[0].upstream_id, "up-1");
  EXPECT_EQ(out.attempts[1].cost, 320);
  EXPECT_EQ(out.attempts[1].upstream_id, "up-2");
  EXPECT_EQ(out.upstream_id, "up-2");
  EXPECT_EQ(out.first_token, milliseconds(50)) << "of the request";
}

// Should it have run, whose key it was pays for it.
TEST_F(UsageNotesTest, AnAmbiguousAttemptWithAnOwnKeyCostsTheOperatorNothing) {
  money.reserved = 9'000;
  const std::uint8_t first = notes.began(0, true, at(110));
  notes.ended(first, AttemptOutcome::kAmbiguous, 0, at(160));
  const UsageRecord out = record({.now = at(400)});
  EXPECT_EQ(out.attempts[0].cost, 0);
  EXPECT_TRUE(out.flags.is_ambiguous);
}

TEST_F(UsageNotesTest, SaysHowEachAttemptWent) {
  money.reserved = 9'000;
  metered.charge.upstream = 500;
  const std::uint8_t first = notes.began(0, false, at(110));
  notes.ended(first, AttemptOutcome::kAmbiguous, 0, at(160));
  notes.ended(first, AttemptOutcome::kSucceeded, 200, at(170));
  const std::uint8_t second = notes.began(1, true, at(180));
  notes.first_token(second, at(220));
  notes.ended(second, AttemptOutcome::kSucceeded, 200, at(400));
  notes.note_answer("up-1", "stop");
  const UsageRecord out = record({.endpoint = 1, .now = at(400)});
  ASSERT_EQ(out.attempts_made, 2u);
  ASSERT_EQ(out.attempts_known().size(), 2u);
  EXPECT_EQ(out.attempts[0].provider, "p0");
  EXPECT_EQ(out.attempts[0].outcome, AttemptOutcome::kAmbiguous) << "what was said first stands";
  EXPECT_EQ(out.attempts[0].status, 0);
  EXPECT_EQ(out.attempts[0].started, milliseconds(10));
  EXPECT_EQ(out.attempts[0].latency, milliseconds(50));
  EXPECT_EQ(out.attempts[0].cost, 9'000) << "the bound: it may have run";
  EXPECT_EQ(out.attempts[0].upstream_id, "");
  EXPECT_EQ(out.attempts[1].provider, "p1");
  EXPECT_EQ(out.attempts[1].status, 200);
  EXPECT_TRUE(out.attempts[1].is_byok);
  EXPECT_EQ(out.attempts[1].latency, milliseconds(40)) << "to the first content";
  EXPECT_EQ(out.attempts[1].cost, 500);
  EXPECT_EQ(out.attempts[1].upstream_id, "up-1");
  EXPECT_TRUE(out.flags.is_ambiguous);
  EXPECT_EQ(out.queued, milliseconds(10));
  EXPECT_EQ(out.first_token, milliseconds(120));
}

// What the client waited counts from its request, not from the attempt that served it in the end.
TEST_F(UsageNotesTest, CountsHowLongTheClientWaitedWhereTheAnswerCameWhole) {
  EndpointCounterTable table(catalogue.endpoints().size());
  const auto failed = notes.began(0, false, at(110));
  notes.ended(failed, AttemptOutcome::kRefused, 503, at(2'100));
  const auto good = notes.began(1, false, at(2'100));
  notes.first_token(good, at(2'150));
  notes.ended(good, AttemptOutcome::kSucceeded, 200, at(3'100));
  const UsageNotes::End whole{.endpoint = 1, .status = 200, .now = at(3'100)};
  notes.count(table, metered, whole);
  const EndpointCounters& counters = table.at(1);
  EXPECT_EQ(counters.first_token.sum_us(), 50'000u);
  EXPECT_EQ(counters.request_first_token.sum_us(), 2'050'000u);
  EXPECT_EQ(counters.request_answer.sum_us(), 3'000'000u);
  EXPECT_EQ(table.at(0).request_answer.sum_us(), 0u);

  UsageNotes::End cut = whole;
  cut.error_type = "provider_unavailable";
  notes.count(table, metered, cut);
  UsageNotes::End left = whole;
  left.is_cancelled = true;
  notes.count(table, metered, left);
  EXPECT_EQ(counters.request_answer.sum_us(), 3'000'000u) << "one of the others was not whole";
}

TEST_F(UsageNotesTest, MoreAttemptsThanARecordHoldsAreCounted) {
  for (std::size_t i = 0; i < UsageRecord::kAttemptsMax + 3; ++i) {
    const std::uint8_t attempt = notes.began(0, false, at(200));
    notes.first_token(attempt, at(210));
    notes.ended(attempt, AttemptOutcome::kRefused, 500, at(220));
  }
  const UsageRecord out = record({.now = at(300)});
  EXPECT_EQ(out.attempts_made, UsageRecord::kAttemptsMax + 3);
  EXPECT_EQ(out.attempts_known().size(), UsageRecord::kAttemptsMax);
  EXPECT_EQ(out.model_served, "") << "nobody did";
}

TEST_F(UsageNotesTest, CarriesEveryCountAndSum) {
  metered.measured.usage = {.prompt = 100,
                            .completion = 50,
                            .total = 150,
                            .cached = 9,
                            .cached_audio = 1,
                            .cache_write = 8,
                            .cache_write_1h = 2,
                            .prompt_audio = 7,
                            .prompt_image = 6,
                            .reasoning = 5,
                            .completion_audio = 4,
                            .completion_image = 3,
                            .web_searches = 10};
  metered.is_priced = true;
  metered.measured.is_estimated = true;
  metered.charge = {.upstream = 60,
                    .upstream_prompt = 20,
                    .upstream_completion = 40,
                    .charged = 55,
                    .shortfall = 5,
                    .is_clamped = true};
  money.reserved = 55;
  const UsageRecord out = record({.is_cancelled = true});
  EXPECT_EQ(out.tokens, (ledger::UsageTokens{.prompt = 100,
                                             .cached = 9,
                                             .cache_write = 8,
                                             .cache_write_1h = 2,
                                             .prompt_image = 6,
                                             .prompt_audio = 7,
                                             .cached_audio = 1,
                                             .completion = 50,
                                             .reasoning = 5,
                                             .completion_image = 3,
                                             .completion_audio = 4,
                                             .web_searches = 10}));
  EXPECT_EQ(out.cost, 60);
  EXPECT_EQ(out.cost_prompt, 20);
  EXPECT_EQ(out.cost_completion, 40);
  EXPECT_EQ(out.charge, 55);
  EXPECT_EQ(out.shortfall, 5);
  EXPECT_EQ(out.reserved, 55);
  EXPECT_EQ(out.byok_fee, 0);
  EXPECT_EQ(out.flags,
            (ledger::UsageFlags{.is_cancelled = true, .is_estimated = true, .is_clamped = true}));
}

TEST_F(UsageNotesTest, TellsWhatIsFreeAndWhatAnOwnKeyPays) {
  EXPECT_TRUE(record({.endpoint = 0}).flags.is_free) << "the operator said so";
  EXPECT_FALSE(record({}).flags.is_free) << "nobody was asked";
  metered.charge = {.upstream = 60, .is_insured = true};
  EXPECT_TRUE(record({}).flags.is_free);
  metered.charge = {.upstream = 60, .charged = 3};
  money.uses_own_key = true;
  const UsageRecord out = record({});
  EXPECT_FALSE(out.flags.is_free);
  EXPECT_TRUE(out.flags.is_byok);
  EXPECT_EQ(out.byok_fee, 3);
  EXPECT_EQ(out.reserved, 0) << "nothing was";
}

}  // namespace
}  // namespace leat::gateway
