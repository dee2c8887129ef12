#include "workloads/graph_source.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <optional>

#include "workloads/rmat.h"

namespace tandem::workloads {

namespace {

constexpr char kDpkgStatus[] = "/var/lib/dpkg/status";
constexpr char kAptCache[] = "/usr/bin/apt-cache";
constexpr char kPrintPackages[] = "/usr/bin/apt-cache dumpavail </dev/null 2>/dev/null";
constexpr size_t kReadBytes = size_t{1} << 20;

// What `stream` still has to say. Nothing: reading failed, and errno says why.
std::optional<std::string> ReadStream(std::FILE* stream) {
  std::string text;
  for (size_t got = 1; got > 0;) {
    const size_t before = text.size();
    text.resize(before + kReadBytes);
    got = fread(text.data() + before, 1, kReadBytes, stream);
    text.resize(before + got);
  }
  if (ferror(stream) != 0) return std::nullopt;
  return text;
}

StatusOr<std::string> ReadFile(const std::string& path) {
  const auto error = [&path](const char* verb) {
    return Status::Io(fmt::format("cannot {} {}: {}", verb, path, std::strerror(errno)));
  };
  std::FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return error("open");
  std::optional<std::string> text = ReadStream(file);
  const Status status = text ? Status::Ok() : error("read");
  std::fclose(file);
  if (!status.ok()) return status;
  return std::move(*text);
}

// Empty if apt is not there or knows no packages.
std::string PrintPackages() {
  if (access(kAptCache, X_OK) != 0) return "";
  std::FILE* pipe = popen(kPrintPackages, "r");
  if (pipe == nullptr) return "";
  const std::optional<std::string> text = ReadStream(pipe);
  return pclose(pipe) == 0 && text ? *text : "";
}

std::string_view TakeLine(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

// Cuts off what is before the next of `ends`, and that one too.
std::string_view TakeUntil(std::string_view& text, std::string_view ends) {
  const std::string_view part = text.substr(0, text.find_first_of(ends));
  text.remove_prefix(std::min(part.size() + 1, text.size()));
  return part;
}

Status ReadDebian(EdgeListBuilder& builder) {
  std::string text = PrintPackages();
  if (text.empty()) {
    StatusOr<std::string> installed = ReadFile(kDpkgStatus);
    if (!installed.ok()) {
      return Status::Unavailable(fmt::format(
          "data debian is not here: apt-cache knows no packages, and {} cannot be read; fetch the "
          "lists with `apt-get update`, or name files with --input",
          kDpkgStatus));
    }
    text = std::move(*installed);
  }
  ParsePackages(text, builder);
  return Status::Ok();
}

Status ReadWordNet(EdgeListBuilder& builder) {
  struct DataFile {
    const char* path;
    char part_of_speech;
  };
  for (const auto& [path, part_of_speech] : {DataFile{"/usr/share/wordnet/data.noun", 'n'},
                                             {"/usr/share/wordnet/data.verb", 'v'},
                                             {"/usr/share/wordnet/data.adj", 'a'},
                                             {"/usr/share/wordnet/data.adv", 'r'}}) {
    const StatusOr<std::string> text = ReadFile(path);
    if (!text.ok()) {
      return Status::Unavailable(
          fmt::format("data wordnet is not installed ({} is missing): install it with `apt-get "
                      "install wordnet-base`, or name files with --input",
                      path));
    }
    if (Status status = ParseSynsets(text.value(), part_of_speech, builder); !status.ok()) {
      return {status.code(), fmt::format("{}: {}", path, status.message())};
    }
  }
  return Status::Ok();
}

}  // namespace

void ParsePackages(std::string_view text, EdgeListBuilder& builder) {
  std::string_view package;
  while (!text.empty()) {
    std::string_view line = TakeLine(text);
    const std::string_view field = line.substr(0, line.find(':'));
    if (field != "Package" && field != "Pre-Depends" && field != "Depends" &&
        field != "Recommends" && field != "Suggests") {
      continue;
    }
    line.remove_prefix(std::min(field.size() + 1, line.size()));
    while (!line.empty()) {
      std::string_view alternative = TakeUntil(line, ",|");
      alternative.remove_prefix(std::min(alternative.find_first_not_of(' '), alternative.size()));
      const std::string_view name = alternative.substr(0, alternative.find_first_of(" (:"));
      if (name.empty()) continue;
      if (field == "Package") {
        package = name;
        builder.VertexOf(name);
      } else if (!package.empty()) {
        builder.AddEdge(package, name);
      }
    }
  }
}

Status ParseSynsets(std::string_view text, char part_of_speech, EdgeListBuilder& builder) {
  for (uint64_t number = 1; !text.empty(); ++number) {
    std::string_view line = TakeLine(text);
    if (line.empty() || line[0] == ' ') continue;  // the licence
    const auto parse = [](std::string_view digits, int base) -> std::optional<uint64_t> {
      uint64_t value = 0;
      const char* end = digits.data() + digits.size();
      const auto [stop, error] = std::from_chars(digits.data(), end, value, base);
      if (error != std::errc() || stop != end) return std::nullopt;
      return value;
    };
    const std::string synset = part_of_speech + std::string(TakeUntil(line, " "));
    for (int i = 0; i < 2; ++i) TakeUntil(line, " ");  // the lexicographer's file, the type
    const std::optional<uint64_t> words = parse(TakeUntil(line, " "), 16);
    for (uint64_t i = 0; words && i < 2 * *words && !line.empty(); ++i) TakeUntil(line, " ");
    const std::optional<uint64_t> pointers = parse(TakeUntil(line, " "), 10);
    if (!words || !pointers) {
      return Status::InvalidArgument(fmt::format("line {} is no synset", number));
    }
    builder.VertexOf(synset);
    for (uint64_t i = 0; i < *pointers && !line.empty(); ++i) {
      TakeUntil(line, " ");  // the relation
      const std::string_view offset = TakeUntil(line, " ");
      const std::string_view target = TakeUntil(line, " ");
      TakeUntil(line, " ");  // the words that are meant
      builder.AddEdge(synset, std::string(target) + std::string(offset));
    }
  }
  return Status::Ok();
}

StatusOr<EdgeList> ReadGraph(const GraphSource& source, Progress& progress) {
  progress.Begin("read", 0);
  if (source.files.empty() && source.data == "rmat") {
    return MakeRmat(source.vertices, source.edges, source.seed);
  }
  EdgeListBuilder builder;
  Status status;
  for (const std::string& file : source.files) {
    const StatusOr<std::string> text = ReadFile(file);
    status = text.ok() ? ParseEdges(text.value(), file, builder) : text.status();
    if (!status.ok()) return status;
  }
  if (source.files.empty()) {
    status = source.data == "debian" ? ReadDebian(builder) : ReadWordNet(builder);
    if (!status.ok()) return status;
  }
  EdgeList graph = builder.Take();
  if (graph.vertices > EdgeList::kMaxVertices || graph.edges.size() > EdgeList::kMaxEdges) {
    return Status::InvalidArgument(
        fmt::format("the graph is too large; valid are {} vertices and {} edges",
                    EdgeList::kMaxVertices, EdgeList::kMaxEdges));
  }
  Simplify(graph);
  return graph;
}

}  // namespace tandem::workloads
