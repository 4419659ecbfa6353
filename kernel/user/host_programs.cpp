// SPDX-License-Identifier: MIT
// The ring-3 programs, linked into a Linux process.
#include <hal/user.hpp>
#include <user/host_programs.hpp>

extern "C" {
void exo_program_init(std::uint64_t);
void exo_program_echo_server(std::uint64_t);
void exo_program_echo_client(std::uint64_t);
void exo_program_ring_sender(std::uint64_t);
void exo_program_ring_receiver(std::uint64_t);
void exo_program_null_caller(std::uint64_t);
void exo_program_spinner(std::uint64_t);
void exo_program_faulter(std::uint64_t);
void exo_program_hostile(std::uint64_t);
}

namespace user {

void register_host_programs() {
    static constexpr hal::LinkedProgram programs[] = {
        {"init", exo_program_init},
        {"echo_server", exo_program_echo_server},
        {"echo_client", exo_program_echo_client},
        {"ring_sender", exo_program_ring_sender},
        {"ring_receiver", exo_program_ring_receiver},
        {"null_caller", exo_program_null_caller},
        {"spinner", exo_program_spinner},
        {"faulter", exo_program_faulter},
        {"hostile", exo_program_hostile},
    };
    hal::host_register_programs(programs);
}

}  // namespace user
