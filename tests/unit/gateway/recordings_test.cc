// SPDX-License-Identifier: Apache-2.0
// Goal: how the network cuts a provider's stream is never seen by a client: text, tool calls,
// finish reason and usage are the same on both faces. Method: every recorded stream through a
// Relay, cut once inside every event - at its first byte, then at its second, until each place of
// the stream has been one - and byte by byte. What comes out is compared with the stream in one
// piece, and that one, on the OpenAI face, with the recording itself. (What the OpenRouter face
// makes of a recording is judged in dialect/openai_stream_test.)
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/check.h"
#include "gateway/relay.h"
#include "keeping_stream.h"

namespace leat::gateway {
namespace {

std::string fixtures_folder;  // set by main(), from the build

class Owner final : public RelayOwner {
 public:
  net::Stream& on_commit() override { return stream; }
  KeepingStream stream;
};

struct Recording {
  std::string name;
  std::string stream;
  std::vector<std::size_t> ends;  // of its events
};

Recording read_recording(const std::filesystem::path& file) {
  Recording recording;
  recording.name = file.filename().string();
  std::ifstream input(file);
  std::string line;
  const auto add = [&](const std::string& data) {
    recording.stream += "data: " + data + "\n\n";
    recording.ends.push_back(recording.stream.size());
  };
  while (std::getline(input, line)) {
    if (!line.empty()) add(line);
  }
  add("[DONE]");
  return recording;
}

// What a client gets, and what is charged.
struct Outcome {
  std::string bytes;
  std::int64_t prompt = 0;
  std::int64_t completion = 0;
  std::int64_t cached = 0;
  std::int64_t reasoning = 0;
  bool finished = false;

  bool operator==(const Outcome&) const = default;
};

// Sends [from, to) of the events, cut at the offsets that `cuts` names.
Outcome relayed(std::string_view stream, dialect::Face face, const std::vector<std::size_t>& cuts) {
  Owner owner;
  Relay relay;
  RelayOptions options;
  options.face = face;
  options.wants_usage = true;
  options.chunked = false;
  relay.start(options, {"gen-1", "a/b", "P", 1700000000});
  std::size_t at = 0;
  RelayStep step = RelayStep::kGoOn;
  for (std::size_t i = 0; i <= cuts.size() && step == RelayStep::kGoOn; ++i) {
    const std::size_t next = i < cuts.size() ? cuts[i] : stream.size();
    step = relay.read(stream.substr(at, next - at), owner);
    at = next;
  }
  EXPECT_EQ(step, RelayStep::kDone);
  if (!relay.is_committed()) return {};
  relay.write_end({});
  const dialect::ChatUsage& usage = relay.usage();
  return {
      std::move(owner.stream.kept), usage.prompt, usage.completion, usage.cached, usage.reasoning,
      relay.finish_seen()};
}

// Each event that is long enough is cut at its `offset`.
std::vector<std::size_t> cuts_at(const Recording& recording, std::size_t offset) {
  std::vector<std::size_t> cuts;
  std::size_t begin = 0;
  for (const std::size_t end : recording.ends) {
    if (begin + offset < end) cuts.push_back(begin + offset);
    begin = end;
  }
  return cuts;
}

class Recordings : public testing::TestWithParam<dialect::Face> {
 protected:
  template <typename Check>
  void for_each(Check check) {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(fixtures_folder)) {
      if (entry.path().extension() != ".jsonl") continue;
      const Recording recording = read_recording(entry.path());
      const Outcome whole = relayed(recording.stream, GetParam(), {});
      ASSERT_FALSE(whole.bytes.empty()) << recording.name;
      check(recording, whole);
      ++count;
    }
    EXPECT_GE(count, 20);
  }
};

TEST_P(Recordings, AreThemselvesOnTheOpenAiFace) {
  if (GetParam() != dialect::Face::kOpenAi) return;
  for_each([](const Recording& recording, const Outcome& whole) {
    EXPECT_EQ(whole.bytes, recording.stream) << recording.name;
    EXPECT_TRUE(whole.finished) << recording.name;
  });
}

TEST_P(Recordings, CutInsideEveryEventAtEveryByte) {
  for_each([](const Recording& recording, const Outcome& whole) {
    for (std::size_t offset = 0;; ++offset) {
      const auto cuts = cuts_at(recording, offset);
      if (cuts.empty()) return;
      const Outcome cut = relayed(recording.stream, GetParam(), cuts);
      ASSERT_TRUE(cut == whole) << recording.name << ", cut at byte " << offset << " of each event";
    }
  });
}

TEST_P(Recordings, ByteByByte) {
  for_each([](const Recording& recording, const Outcome& whole) {
    std::vector<std::size_t> cuts(recording.stream.size());
    for (std::size_t i = 0; i < cuts.size(); ++i) cuts[i] = i;
    const Outcome cut = relayed(recording.stream, GetParam(), cuts);
    ASSERT_TRUE(cut == whole) << recording.name;
  });
}

INSTANTIATE_TEST_SUITE_P(Faces, Recordings,
                         testing::Values(dialect::Face::kOpenAi, dialect::Face::kOpenRouter));

}  // namespace
}  // namespace leat::gateway

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc > 1) leat::gateway::fixtures_folder = argv[1];
  // Seen as skipped in the count of all tests, not as passed.
  if (!std::filesystem::exists(leat::gateway::fixtures_folder)) return 77;
  return RUN_ALL_TESTS();
}
