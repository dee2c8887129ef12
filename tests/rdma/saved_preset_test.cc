#include "rdma/saved_preset.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "rdma/fabric.h"

namespace tandem::rdma {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// With a folder of presets of its own.
class SavedPresetTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "presetsXXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    setenv("XDG_CONFIG_HOME", folder_.c_str(), 1);
  }
  void TearDown() override {
    unsetenv("XDG_CONFIG_HOME");
    std::filesystem::remove_all(folder_);
  }

  static void Write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories(
        std::filesystem::path(SavedPreset::FileOf("x")).parent_path());
    std::ofstream(SavedPreset::FileOf(name)) << text;
  }
  static bool IsListed(const std::string& name) {
    for (const FabricDescription& fabric : ListFabrics()) {
      if (fabric.name == "emulated:" + name) return true;
    }
    return false;
  }

  std::string folder_;
};

TEST_F(SavedPresetTest, IsAFabricThatIsListedAndToldByItsValues) {
  EXPECT_FALSE(IsListed("lab"));
  const SavedPreset preset{.name = "lab",
                           .options = "read_latency_ns=7000,operation_ns=900,bandwidth_mb_s=2500",
                           .summary = "measured\nsomewhere"};
  ASSERT_TRUE(preset.Save().ok());
  EXPECT_TRUE(IsListed("lab"));
  EXPECT_EQ(SavedPreset::Find("lab")->summary, "measured?somewhere");
  EXPECT_EQ(Fabric::Open("emulated:lab").value()->Name(),
            "emulated:none,read_latency_ns=7000,operation_ns=900,bandwidth_mb_s=2500");
  EXPECT_EQ(Fabric::Open("emulated:lab,read_latency_ns=1,loss=0.5").value()->Name(),
            "emulated:none,read_latency_ns=1,operation_ns=900,bandwidth_mb_s=2500,loss=0.5");
}

TEST_F(SavedPresetTest, OnlyItsNameIsSpelledByItsValues) {
  ASSERT_TRUE((SavedPreset{.name = "lab", .options = "depth=3", .summary = ""}.Save().ok()));
  EXPECT_EQ(SavedPreset::Spelled("emulated:lab,pins=1"), "emulated:none,depth=3,pins=1");
  EXPECT_EQ(SavedPreset::Spelled("sealed:emulated:lab"), "sealed:emulated:none,depth=3");
  for (const char* url : {"emulated", "emulated:rdma40,loss=0", "emulated:lob", "emulated:lab,x=1",
                          "tcp://emulated:lab", "", "quatsch"}) {
    EXPECT_EQ(SavedPreset::Spelled(url), url);
  }
}

TEST_F(SavedPresetTest, SavingAgainReplacesIt) {
  SavedPreset preset{.name = "lab", .options = "read_latency_ns=7000", .summary = ""};
  ASSERT_TRUE(preset.Save().ok());
  preset.options = "depth=3";
  ASSERT_TRUE(preset.Save().ok());
  EXPECT_EQ(Fabric::Open("emulated:lab").value()->Name(), "emulated:none,depth=3");
  EXPECT_EQ(SavedPreset::List().size(), 1u);
}

TEST_F(SavedPresetTest, NamesThatCannotBeAreRefused) {
  for (const char* name :
       {"", ".", "..", "../lab", "a/b", "a,b", "-a", "a b", "a\n", "none", "rdma40"}) {
    EXPECT_EQ((SavedPreset{.name = name, .options = "", .summary = ""}.Save().code()),
              StatusCode::kInvalidArgument)
        << name;
  }
  EXPECT_FALSE(SavedPreset::CheckName(std::string(65, 'a')).ok());
  EXPECT_TRUE(SavedPreset::CheckName("IB-2.fast_1").ok());
}

TEST_F(SavedPresetTest, ADamagedFileIsNamedAndNotListed) {
  Write("bad", "# words\nquatsch=1\n");
  Write("shared", "cores=2\n");
  Write("binary", std::string(100'000, '\0'));
  for (const char* name : {"bad", "shared", "binary"}) {
    EXPECT_FALSE(IsListed(name));
    const Status status = Fabric::Open(std::string("emulated:") + name).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(status.message(),
                AllOf(HasSubstr(SavedPreset::FileOf(name)), Not(HasSubstr("\n"))));
  }
  Write("good", "# words\nread_latency_ns=5,write_latency_ns=6\n");
  EXPECT_TRUE(IsListed("good")) << "the others do not hide it";
}

TEST_F(SavedPresetTest, AnUnknownNameIsAnsweredWithTheSavedOnesToo) {
  ASSERT_TRUE((SavedPreset{.name = "lab", .options = "depth=3", .summary = ""}.Save().ok()));
  EXPECT_THAT(Fabric::Open("emulated:lob").status().message(),
              AllOf(HasSubstr("rdma40"), HasSubstr("lab")));
}

TEST_F(SavedPresetTest, AFolderThatCannotBeMadeIsTold) {
  std::ofstream(folder_ + "/tandem") << "a file";
  const Status status = SavedPreset{.name = "lab", .options = "depth=3", .summary = ""}.Save();
  EXPECT_EQ(status.code(), StatusCode::kIo);
  EXPECT_THAT(status.message(), HasSubstr("lab"));
}

}  // namespace
}  // namespace tandem::rdma
