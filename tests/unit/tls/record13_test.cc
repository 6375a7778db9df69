// SPDX-License-Identifier: Apache-2.0
// Goal: records of TLS 1.3 cross whole and in order however the network cuts them, under every
// suite and through changes of keys; a record that the peer did not seal, and everything that the
// RFC forbids an authenticated peer, ends the connection with the right alert and not with bytes.
// Method: two of ours back to back; the traces of RFC 8448; a forger who has the peer's keys.
#include "tls/record13.h"

#include <gtest/gtest.h>

#include <array>
#include <new>
#include <string>
#include <vector>

#include "base/rng.h"
#include "support/tls_wire.h"

namespace leat::tls {
namespace {

using namespace std::string_literals;
using Role = Record13::Role;

using test::Wire;
struct Plain final : PlainSink {
  std::string bytes;
  const char* last = nullptr;
  void on_plain(std::span<char> more) override {
    ASSERT_FALSE(more.empty());
    bytes.append(more.data(), more.size());
    last = more.data();
  }
};

std::string unhex(std::string_view text) {
  std::string bytes;
  std::string digits;
  for (const char c : text) {
    if (c == ' ') continue;
    digits += c;
    if (digits.size() < 2) continue;
    bytes += static_cast<char>(std::stoi(digits, nullptr, 16));
    digits.clear();
  }
  return bytes;
}

TrafficState state_of(Suite suite, std::string_view secret, std::uint64_t sequence = 0) {
  TrafficState state{.suite = suite, .sequence = sequence};
  const std::size_t size = suite == Suite::kAes256GcmSha384 ? 48 : 32;  // of its hash
  secret.copy(reinterpret_cast<char*>(state.secret.data()), size);
  return state;
}

const std::string kClientSecret(48, '\x11');
const std::string kServerSecret(48, '\x22');

struct End {
  End(Role role, Suite suite, std::uint64_t records_per_key = Record13::kRecordsPerKey)
      : records(role, state_of(suite, role == Role::kClient ? kServerSecret : kClientSecret),
                state_of(suite, role == Role::kClient ? kClientSecret : kServerSecret),
                records_per_key) {}
  SessionState feed(std::string_view bytes) {
    fed.assign(bytes);
    return records.feed(fed, in, out);
  }
  void write(std::string_view text) {
    const std::string_view pieces[] = {text};
    records.write(pieces, out);
  }
  std::string take() {
    std::string taken;
    taken.swap(out.bytes);
    return taken;
  }
  Record13 records;
  Wire out;
  Plain in;
  std::string fed;
};

constexpr Suite kSuites[] = {Suite::kAes128GcmSha256, Suite::kAes256GcmSha384,
                             Suite::kChaCha20Poly1305Sha256};

std::string random_text(Rng& rng, std::size_t size) {
  std::string text(size, 'x');
  for (char& c : text) c = static_cast<char>(rng.below(256));
  return text;
}

// Carries what `from` has written to `to`, in pieces of at most `piece_max`.
void carry(End& from, End& to, Rng& rng, std::size_t piece_max) {
  const std::string bytes = from.take();
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t size = std::min<std::size_t>(rng.below(piece_max) + 1, bytes.size() - at);
    to.feed({bytes.data() + at, size});
    at += size;
  }
}

// ---- In order ----------------------------------------------------------------------------------

// "Simple 1-RTT Handshake", the application data and the client's goodbye.
TEST(Record13, OpensAndSealsTheTraceOfRfc8448) {
  const std::string client_secret =
      unhex("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5");
  const std::string server_secret =
      unhex("a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643");
  const std::string client_record = unhex(
      "1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20"
      "441e2b62974e1f5a6292a2977014bd1e3deae63aeebb21694915e4");
  const std::string server_record = unhex(
      "17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e30efaf97d90e6dffc602dcb50"
      "1a59a8fcc49c4bf2e5f0a21c0047c2abf332540dd032e167c2955d");
  const std::string client_goodbye = unhex("1703030013c9872760655666b74d7ff1153efd6db6d0b0e3");
  std::string text;
  for (char c = 0; c < 50; ++c) text += c;

  // The server's ticket was its record number 0.
  const TrafficState client_state = state_of(Suite::kAes128GcmSha256, client_secret);
  const TrafficState server_state = state_of(Suite::kAes128GcmSha256, server_secret, 1);
  Record13 client(Role::kClient, server_state, client_state);
  Record13 server(Role::kServer, client_state, server_state);
  Wire out;
  Plain in;
  const std::string_view pieces[] = {std::string_view(text).substr(0, 20),
                                     std::string_view(text).substr(20)};
  client.write(pieces, out);
  client.close_notify(out);
  EXPECT_EQ(out.bytes, client_record + client_goodbye);
  std::string bytes = client_record + client_goodbye;
  EXPECT_EQ(server.feed(bytes, in, out), SessionState::kClosed);
  EXPECT_EQ(in.bytes, text);
  bytes = server_record;
  EXPECT_EQ(client.feed(bytes, in, out), SessionState::kOpen);
  EXPECT_EQ(in.bytes, text + text);
}

TEST(Record13, CarriesBytesBothWaysAtAnyCut) {
  Rng rng(3);
  for (const Suite suite : kSuites) {
    for (const std::size_t piece_max : {1, 2, 7, 300, 20'000, 200'000}) {
      End client(Role::kClient, suite);
      End server(Role::kServer, suite);
      std::string up;
      std::string down;
      for (const std::size_t size : {1, 250, 16'383, 16'384, 16'385, 50'000}) {
        const std::string text = random_text(rng, size);
        up += text;
        client.write(text);
        const std::string other = random_text(rng, 250);
        down += other;
        server.write(other);
        carry(client, server, rng, piece_max);
        carry(server, client, rng, piece_max);
      }
      EXPECT_TRUE(server.in.bytes == up) << piece_max;
      EXPECT_TRUE(client.in.bytes == down) << piece_max;
      EXPECT_EQ(server.records.held_bytes(), 0u);
    }
  }
}

// However the pieces lie they fill records, and nothing but the last is short.
TEST(Record13, GathersPiecesIntoRecords) {
  Rng rng(4);
  for (int round = 0; round < 200; ++round) {
    End client(Role::kClient, Suite::kAes128GcmSha256);
    End server(Role::kServer, Suite::kAes128GcmSha256);
    std::vector<std::string> texts;
    std::string all;
    const std::size_t size_max = round % 2 == 0 ? 60 : 30'000;
    for (std::size_t count = rng.below(8); count > 0; --count) {
      texts.push_back(random_text(rng, rng.below(size_max)));
      all += texts.back();
    }
    const std::vector<std::string_view> pieces(texts.begin(), texts.end());
    client.records.write(pieces, client.out);
    const std::size_t records = (all.size() + Record13::kPlainBytesMax - 1) / 16384;
    EXPECT_EQ(client.out.bytes.size(), all.size() + records * kRecordExtraBytes);
    carry(client, server, rng, 9000);
    ASSERT_TRUE(server.in.bytes == all);
  }
}

TEST(Record13, OpensInTheSliceAndHoldsNothing) {
  End client(Role::kClient, Suite::kAes128GcmSha256);
  End server(Role::kServer, Suite::kAes128GcmSha256);
  client.write("first");
  client.write("second");
  server.feed(client.take());
  EXPECT_EQ(server.in.bytes, "firstsecond");
  EXPECT_GE(server.in.last, server.fed.data());
  EXPECT_LT(server.in.last, server.fed.data() + server.fed.size());
  EXPECT_EQ(server.records.held_bytes(), 0u);
  client.write("third");
  server.feed(client.take().substr(0, 7));
  EXPECT_EQ(server.records.held_bytes(), 7u);
}

// ---- Changes of keys ---------------------------------------------------------------------------

TEST(Record13, BothWritersChangeKeysInTime) {
  Rng rng(5);
  for (const Suite suite : kSuites) {
    End client(Role::kClient, suite, 10);
    End server(Role::kServer, suite, 10);
    std::string all;
    for (int i = 0; i < 200; ++i) {
      const std::string text = random_text(rng, 1 + rng.below(40));
      all += text;
      client.write(text);
      server.write(text);
      EXPECT_LE(client.records.write_state().sequence, 10u);
      if (i % 3 != 0) continue;
      carry(client, server, rng, 50);
      carry(server, client, rng, 50);
    }
    carry(client, server, rng, 50);
    carry(server, client, rng, 50);
    EXPECT_EQ(server.records.state(), SessionState::kOpen) << server.records.fault();
    EXPECT_EQ(client.records.state(), SessionState::kOpen) << client.records.fault();
    EXPECT_TRUE(server.in.bytes == all);
    EXPECT_TRUE(client.in.bytes == all);
    EXPECT_NE(client.records.write_state().secret, state_of(suite, kClientSecret).secret);
  }
}

// One that never changes its keys by itself is asked to, once.
TEST(Record13, AsksAReaderOfOneKeyForAnother) {
  End client(Role::kClient, Suite::kAes128GcmSha256);
  End server(Role::kServer, Suite::kAes128GcmSha256, 10);
  const auto before = client.records.write_state().secret;
  for (int i = 0; i < 30; ++i) {
    client.write("x");
    server.feed(client.take());
  }
  EXPECT_EQ(client.records.write_state().secret, before);
  server.write("answer");
  server.write("more");
  client.feed(server.take());
  EXPECT_EQ(client.in.bytes, "answermore");
  EXPECT_EQ(client.records.write_state().secret, before) << "not before there is data to send";
  client.write("y");
  EXPECT_NE(client.records.write_state().secret, before);
  server.feed(client.take());
  EXPECT_EQ(server.in.bytes, std::string(30, 'x') + "y");
  EXPECT_EQ(server.records.read_state().sequence, 1u);
}

TEST(Record13, IsPlainDataThatCanGoOnElsewhere) {
  End client(Role::kClient, Suite::kChaCha20Poly1305Sha256);
  End server(Role::kServer, Suite::kChaCha20Poly1305Sha256);
  client.write("here ");
  server.feed(client.take());
  Record13 moved(Role::kServer, server.records.read_state(), server.records.write_state());
  client.write("there");
  std::string bytes = client.take();
  moved.feed(bytes, server.in, server.out);
  EXPECT_EQ(server.in.bytes, "here there");
}

TEST(Record13, TrafficKeysWipeWhatTheyKnew) {
  for (const Suite suite : kSuites) {
    alignas(TrafficKeys) std::array<char, sizeof(TrafficKeys)> place{};
    const std::string_view bytes(place.data(), place.size());
    auto* keys = new (place.data()) TrafficKeys(state_of(suite, kClientSecret));
    EXPECT_NE(bytes.find(kClientSecret.substr(0, 32)), std::string_view::npos);
    keys->update();
    EXPECT_EQ(bytes.find(kClientSecret.substr(0, 8)), std::string_view::npos);
    keys->~TrafficKeys();
    EXPECT_EQ(bytes.find_first_not_of('\0'), std::string_view::npos);
  }
}

// ---- A forger with the peer's keys -------------------------------------------------------------

struct Verdict {
  SessionState state;
  int alert;  // -1: none was sent
  bool operator==(const Verdict&) const = default;
};
std::ostream& operator<<(std::ostream& to, const Verdict& verdict) {
  return to << static_cast<int>(verdict.state) << " with alert " << verdict.alert;
}
Verdict failed(int alert) {
  return {SessionState::kFailed, alert};
}
const Verdict kOpen{SessionState::kOpen, -1};

class Forger : public testing::Test {
 protected:
  explicit Forger(Role victim = Role::kServer) { restart(victim); }

  void restart(Role victim) {
    victim_ = std::make_unique<End>(victim, Suite::kAes128GcmSha256);
    keys_ = std::make_unique<TrafficKeys>(victim_->records.read_state());
    reader_ = std::make_unique<TrafficKeys>(victim_->records.write_state());
  }
  std::string sealed(int type, std::string_view body, std::size_t padding = 0) {
    std::string inner(body);
    inner += static_cast<char>(type);
    inner.append(padding, '\0');
    const char last = inner.back();
    inner.pop_back();
    std::string record(inner.size() + kRecordExtraBytes, '\0');
    keys_->seal(static_cast<ContentType>(last), inner, record.data());
    return record;
  }
  Verdict feed(std::string_view bytes) {
    victim_->feed(bytes);
    Verdict verdict{victim_->records.state(), -1};
    std::string answer = victim_->take();
    if (answer.empty()) return verdict;
    const auto size = reader_->open(answer);
    EXPECT_TRUE(size.has_value());
    EXPECT_EQ(*size, 3u);
    EXPECT_EQ(answer[5], 2) << "fatal";
    EXPECT_EQ(answer[7], 21);
    verdict.alert = static_cast<unsigned char>(answer[6]);
    return verdict;
  }
  // In the order in which they were sealed, which operands of + are not.
  Verdict feed(std::initializer_list<std::string> records) {
    std::string bytes;
    for (const std::string& record : records) bytes += record;
    return feed(bytes);
  }
  Verdict fresh(int type, std::string_view body, Role victim = Role::kServer) {
    restart(victim);
    return feed(sealed(type, body));
  }
  const std::string& plain() const { return victim_->in.bytes; }

  std::unique_ptr<End> victim_;
  std::unique_ptr<TrafficKeys> keys_;    // the victim reads what these seal
  std::unique_ptr<TrafficKeys> reader_;  // these open what it answers
};

constexpr int kUnexpected = 10;
constexpr int kBadMac = 20;
constexpr int kOverflow = 22;
constexpr int kIllegal = 47;
constexpr int kDecode = 50;

TEST_F(Forger, EveryChangedByteIsRefused) {
  for (const Suite suite : kSuites) {
    End writer(Role::kClient, suite);
    writer.write("a small event");
    const std::string record = writer.take();
    for (std::size_t at = 0; at < record.size(); ++at) {
      for (const int flip : {1, 0x80}) {
        for (const std::size_t cut : {record.size(), at}) {
          End reader(Role::kServer, suite);
          std::string bad = record;
          bad[at] = static_cast<char>(bad[at] ^ flip);
          reader.feed(std::string_view(bad).substr(0, cut));
          reader.feed(std::string_view(bad).substr(cut));
          // A longer record is waited for.
          reader.feed(std::string(40'000, 'z'));
          EXPECT_EQ(reader.records.state(), SessionState::kFailed) << at;
          EXPECT_EQ(reader.in.bytes, "");
          EXPECT_FALSE(reader.out.bytes.empty());
          reader.feed(record);
          EXPECT_EQ(reader.in.bytes, "");
        }
      }
    }
  }
}

TEST_F(Forger, RecordsRepeatedDroppedOrExchangedAreRefused) {
  const std::string one = sealed(23, "one");
  const std::string two = sealed(23, "two");
  EXPECT_EQ(feed(one + one), failed(kBadMac));
  EXPECT_EQ(plain(), "one");
  restart(Role::kServer);
  EXPECT_EQ(feed(two), failed(kBadMac));
  EXPECT_EQ(plain(), "");
}

TEST_F(Forger, WhatIsNotSealedIsRefused) {
  for (const int type : {0, 20, 21, 22, 24, 72}) {
    restart(Role::kServer);
    EXPECT_EQ(feed(static_cast<char>(type) + "\x03\x03\x00\x02\x01\x00"s), failed(kUnexpected));
  }
  for (const std::size_t size : {0, 1, 16, 17}) {
    restart(Role::kServer);
    EXPECT_EQ(feed("\x17\x03\x03\x00"s + static_cast<char>(size) + std::string(size, 'x')),
              failed(kBadMac));
  }
}

TEST_F(Forger, LengthsHaveLimits) {
  // Of the body: known from the header alone.
  EXPECT_EQ(feed("\x17\x03\x03\x41\x01"s), failed(kOverflow));
  restart(Role::kServer);
  EXPECT_EQ(feed("\x17\x03\x03\x41\x00"s), kOpen);
  // Of what is in it.
  const std::string most(Record13::kPlainBytesMax, 'x');
  restart(Role::kServer);
  EXPECT_EQ(feed(sealed(23, most)), kOpen);
  EXPECT_EQ(plain(), most);
  EXPECT_EQ(feed(sealed(23, most + "x")), failed(kOverflow));
  restart(Role::kServer);
  EXPECT_EQ(feed(sealed(23, most, 1)), failed(kOverflow)) << "padding counts";
}

TEST_F(Forger, PaddingIsTakenOff) {
  EXPECT_EQ(feed({sealed(23, "padded", 100), sealed(23, "zeros\0\0"s, 3)}), kOpen);
  EXPECT_EQ(plain(), "paddedzeros\0\0"s);
  EXPECT_EQ(fresh(0, std::string(20, '\0')), failed(kUnexpected)) << "nothing but padding";
  EXPECT_EQ(fresh(0, ""), failed(kUnexpected));
}

TEST_F(Forger, UnknownContentTypesAreRefused) {
  for (const int type : {1, 19, 20, 24, 25, 255}) {
    EXPECT_EQ(fresh(type, "\1"), failed(kUnexpected)) << type;
  }
}

TEST_F(Forger, EmptyRecordsAreTakenForAWhile) {
  for (int i = 0; i < 32; ++i) ASSERT_EQ(feed(sealed(23, "", i)), kOpen);
  EXPECT_EQ(feed(sealed(23, "x")), kOpen);
  for (int i = 0; i < 32; ++i) ASSERT_EQ(feed(sealed(23, "")), kOpen);
  EXPECT_EQ(feed(sealed(23, "")), failed(kUnexpected));
  EXPECT_EQ(plain(), "x");
}

TEST_F(Forger, Alerts) {
  EXPECT_EQ(fresh(21, "\1\0"s), (Verdict{SessionState::kClosed, -1}));
  EXPECT_EQ(fresh(21, "\2\0"s), (Verdict{SessionState::kClosed, -1})) << "levels mean nothing";
  EXPECT_EQ(fresh(21, "\1\x5a"s), kOpen) << "user_canceled: close_notify follows";
  for (int i = 0; i < 3; ++i) ASSERT_EQ(feed(sealed(21, "\1\x5a"s)), kOpen);
  EXPECT_EQ(feed(sealed(21, "\1\x5a"s)), failed(kUnexpected));
  EXPECT_EQ(fresh(21, "\2\x14"s), failed(-1)) << "an alert is not answered";
  EXPECT_STREQ(victim_->records.fault(), "bad record mac");
  EXPECT_EQ(fresh(21, "\1\x14"s), failed(-1));
  EXPECT_EQ(fresh(21, "\2\xc8"s), failed(-1)) << "also one that nobody knows";
  for (const std::string& bad : {""s, "\2"s, "\1\0\1\0"s}) {
    EXPECT_EQ(fresh(21, bad), failed(kDecode));
  }
}

TEST_F(Forger, NothingIsReadBehindTheEnd) {
  EXPECT_EQ(feed({sealed(23, "last"), sealed(21, "\1\0"s), sealed(23, "more")}),
            (Verdict{SessionState::kClosed, -1}));
  EXPECT_EQ(plain(), "last");
}

const std::string kUpdate = "\x18\0\0\1\0"s;
const std::string kUpdateAsked = "\x18\0\0\1\1"s;
const std::string kTicket = "\4\0\0\6ticket"s;

TEST_F(Forger, KeyUpdates) {
  std::string bytes = sealed(22, kUpdate);
  keys_->update();
  bytes += sealed(23, "under the new key");
  EXPECT_EQ(feed(bytes), kOpen);
  EXPECT_EQ(plain(), "under the new key");
  for (const std::string& bad : {"\x18\0\0\0"s, "\x18\0\0\2\0\0"s, "\x18\1\0\1\0"s}) {
    EXPECT_EQ(fresh(22, bad), failed(kDecode));
  }
  EXPECT_EQ(fresh(22, "\x18\0\0\1\2"s), failed(kIllegal));
  EXPECT_EQ(fresh(22, kUpdate + kUpdate), failed(kUnexpected)) << "it ends its record";
}

TEST_F(Forger, TheOldKeyIsOfNoMoreUse) {
  EXPECT_EQ(feed({sealed(22, kUpdate), sealed(23, "under the old key")}), failed(kBadMac));
  EXPECT_EQ(plain(), "");
}

TEST_F(Forger, ManyKeyUpdatesHaveOneAnswer) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(feed(sealed(22, kUpdateAsked)), kOpen);
    keys_->update();
  }
  victim_->write("data");
  std::string answer = victim_->take();
  const std::size_t first = kRecordExtraBytes + kUpdate.size();
  ASSERT_EQ(answer.size(), first + kRecordExtraBytes + 4);
  std::string record = answer.substr(0, first);
  ASSERT_TRUE(reader_->open(record).has_value());
  EXPECT_EQ(record.substr(5, 6), kUpdate + "\x16") << "it does not ask back";
  reader_->update();
  record = answer.substr(first);
  ASSERT_TRUE(reader_->open(record).has_value());
  EXPECT_EQ(record.substr(5, 4), "data");
}

TEST_F(Forger, AFloodOfKeyUpdatesIsRefused) {
  const auto update = [&] {
    const Verdict verdict = feed(sealed(22, kUpdate));
    keys_->update();
    return verdict;
  };
  for (int i = 0; i < 32; ++i) ASSERT_EQ(update(), kOpen);
  // One every so many records of data goes on for ever, two do not.
  for (int i = 0; i < 100; ++i) {
    for (int data = 0; data < 16; ++data) ASSERT_EQ(feed(sealed(23, "x")), kOpen);
    ASSERT_EQ(update(), kOpen) << i;
  }
  EXPECT_EQ(update(), failed(kUnexpected));
}

TEST_F(Forger, MessagesInParts) {
  const std::string update = kUpdate;
  for (std::size_t cut = 1; cut < update.size(); ++cut) {
    restart(Role::kServer);
    EXPECT_EQ(feed({sealed(22, update.substr(0, cut)), sealed(22, update.substr(cut))}), kOpen);
    keys_->update();
    EXPECT_EQ(feed(sealed(23, "x")), kOpen);
    // Nothing else may stand between the parts.
    for (const int type : {21, 23}) {
      restart(Role::kServer);
      EXPECT_EQ(feed({sealed(22, update.substr(0, cut)), sealed(type, "\1\0"s)}),
                failed(kUnexpected));
      EXPECT_EQ(plain(), "");
    }
  }
  EXPECT_EQ(fresh(22, ""), failed(kUnexpected));
}

TEST_F(Forger, TicketsAreForClients) {
  EXPECT_EQ(fresh(22, kTicket), failed(kUnexpected));
  EXPECT_EQ(fresh(22, kTicket + kTicket, Role::kClient), kOpen);
  EXPECT_EQ(feed(sealed(23, "behind them")), kOpen);
  EXPECT_EQ(plain(), "behind them");
  // In parts of every size, with another message at its end.
  const std::string both = kTicket + kUpdate;
  for (std::size_t cut = 1; cut < both.size(); ++cut) {
    restart(Role::kClient);
    EXPECT_EQ(feed({sealed(22, both.substr(0, cut)), sealed(22, both.substr(cut))}), kOpen) << cut;
    keys_->update();
    EXPECT_EQ(feed(sealed(23, "x")), kOpen);
  }
  restart(Role::kClient);
  EXPECT_EQ(feed({sealed(22, kTicket.substr(0, 7)), sealed(23, "x")}), failed(kUnexpected));
  EXPECT_EQ(fresh(22, "\4\0\x40\1"s, Role::kClient), failed(kIllegal));
  restart(Role::kClient);
  for (int i = 0; i < 32; ++i) ASSERT_EQ(feed(sealed(22, kTicket)), kOpen);
  EXPECT_EQ(feed(sealed(22, kTicket)), failed(kUnexpected));
}

TEST_F(Forger, OtherHandshakeMessagesAreRefused) {
  // Finished, CertificateRequest, ClientHello, HelloRequest: no renegotiation, no late
  // authentication.
  for (const int type : {20, 13, 1, 0}) {
    for (const Role role : {Role::kServer, Role::kClient}) {
      EXPECT_EQ(fresh(22, static_cast<char>(type) + "\0\0\1x"s, role), failed(kUnexpected));
    }
  }
}

TEST_F(Forger, NothingIsSentBehindAGoodbye) {
  victim_->records.close_notify(victim_->out);
  EXPECT_FALSE(victim_->take().empty());
  victim_->records.close_notify(victim_->out);
  victim_->write("late");
  EXPECT_TRUE(victim_->take().empty());
  EXPECT_EQ(feed(sealed(23, "still read")), kOpen);
  EXPECT_EQ(plain(), "still read");
  EXPECT_EQ(feed("garbage"), failed(-1));
}

}  // namespace
}  // namespace leat::tls
