#include "sys/elf.h"

#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <type_traits>

#include "sys/fd.h"

namespace ni::sys {
namespace {

constexpr std::size_t kMostEntries = 4096;  // of any table we walk: a damaged file ends there

constexpr unsigned char kByteOrder =
    __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;

class ElfFile {
 public:
  explicit ElfFile(int fd) : fd_(fd) {}

  template <class T>
  std::optional<T> at(std::uint64_t offset) const {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    const ssize_t got = ::pread(fd_, &value, sizeof(T), static_cast<off_t>(offset));
    return got == static_cast<ssize_t>(sizeof(T)) ? std::optional<T>(value) : std::nullopt;
  }

  bool open_tables() {
    const auto header = at<Elf64_Ehdr>(0);
    if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
        header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != kByteOrder) {
      return false;
    }
    std::optional<Elf64_Phdr> dynamic;
    for (std::size_t i = 0; i < std::min<std::size_t>(header->e_phnum, kMostEntries); ++i) {
      const auto segment = at<Elf64_Phdr>(header->e_phoff + i * sizeof(Elf64_Phdr));
      if (!segment) return false;
      if (segment->p_type == PT_LOAD) loads_.push_back(*segment);
      if (segment->p_type == PT_DYNAMIC) dynamic = segment;
    }
    return dynamic && read_dynamic(dynamic->p_offset);
  }

  std::vector<std::string> needed() const {
    std::vector<std::string> names;
    for (const std::uint64_t name : needed_) names.push_back(string_at(name));
    return names;
  }

  // https://flapenguin.me/elf-dt-gnu-hash: buckets of chains of hashes beside the symbol table.
  bool exports(std::string_view name) const {
    const auto head = at<GnuHash>(hash_);
    if (hash_ == 0 || !head || head->buckets == 0) return false;
    std::uint32_t hash = 5381;
    for (const char c : name) hash = hash * 33 + static_cast<unsigned char>(c);
    const std::uint64_t buckets =
        hash_ + sizeof(GnuHash) + std::uint64_t{head->bloom_words} * sizeof(std::uint64_t);
    const auto first = at<std::uint32_t>(buckets + (hash % head->buckets) * sizeof(std::uint32_t));
    if (!first || *first < head->first_symbol) return false;
    const std::uint64_t chains = buckets + std::uint64_t{head->buckets} * sizeof(std::uint32_t);
    for (std::uint64_t symbol = *first; symbol < *first + kMostEntries; ++symbol) {
      const auto entry =
          at<std::uint32_t>(chains + (symbol - head->first_symbol) * sizeof(std::uint32_t));
      if (!entry) return false;
      if ((*entry | 1U) == (hash | 1U) && is_defined_as(symbol, name)) return true;
      if ((*entry & 1U) != 0) return false;
    }
    return false;
  }

 private:
  struct GnuHash {
    std::uint32_t buckets, first_symbol, bloom_words, bloom_shift;
  };

  bool read_dynamic(std::uint64_t offset) {
    for (std::size_t i = 0; i < kMostEntries; ++i) {
      const auto entry = at<Elf64_Dyn>(offset + i * sizeof(Elf64_Dyn));
      if (!entry) return false;
      switch (entry->d_tag) {
        case DT_NULL:
          return true;
        case DT_GNU_HASH:
          hash_ = offset_of(entry->d_un.d_ptr);
          break;
        case DT_SYMTAB:
          symbols_ = offset_of(entry->d_un.d_ptr);
          break;
        case DT_STRTAB:
          strings_ = offset_of(entry->d_un.d_ptr);
          break;
        case DT_NEEDED:
          needed_.push_back(entry->d_un.d_val);
          break;
        default:
          break;
      }
    }
    return false;
  }

  std::uint64_t offset_of(std::uint64_t address) const {
    for (const Elf64_Phdr& load : loads_) {
      if (address >= load.p_vaddr && address - load.p_vaddr < load.p_filesz) {
        return address - load.p_vaddr + load.p_offset;
      }
    }
    return 0;
  }

  std::string string_at(std::uint64_t name) const {
    std::string text(256, '\0');
    const ssize_t got = ::pread(fd_, text.data(), text.size(), static_cast<off_t>(strings_ + name));
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    text.resize(std::min(text.find('\0'), text.size()));
    return text;
  }

  bool is_defined_as(std::uint64_t number, std::string_view name) const {
    const auto symbol = at<Elf64_Sym>(symbols_ + number * sizeof(Elf64_Sym));
    return symbol && symbol->st_shndx != SHN_UNDEF && string_at(symbol->st_name) == name;
  }

  int fd_;
  std::vector<Elf64_Phdr> loads_;
  std::uint64_t hash_ = 0;
  std::uint64_t symbols_ = 0;
  std::uint64_t strings_ = 0;
  std::vector<std::uint64_t> needed_;
};

}  // namespace

Result<ElfExports> read_elf_exports(const std::string& path,
                                    const std::vector<std::string_view>& names) {
  // Where a worker's user may write, a FIFO may stand in the program's place: nobody waits for its writer.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) {
    return Error{.operation = "open", .subject = path, .code = errno, .reason = {}};
  }
  ElfFile file(fd.get());
  if (!file.open_tables()) {
    return Error{
        .operation = "read", .subject = path, .code = 0, .reason = "not an ELF executable"};
  }
  ElfExports exports{.has = {}, .needed = file.needed()};
  for (const std::string_view name : names) exports.has.push_back(file.exports(name));
  return exports;
}

}  // namespace ni::sys
