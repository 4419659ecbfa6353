# SPDX-License-Identifier: MIT
# Turns `nm -nC kernel` into the assembly of the .ksyms table that core/symbols.cpp reads: the code symbols and one last
# entry for the end of the code. Names lose their parameter lists.
BEGIN { count = 0 }
$2 ~ /^[tTwW]$/ && length($1) == 16 && $1 >= "ffffffff80000000" {
    name = substr($0, 20)
    sub(/ \[clone [^]]*\]/, "", name)
    gsub(/\(anonymous namespace\)::/, "", name)
    sub(/\(.*$/, "", name)
    if (name == "" || name ~ /^\.L/ || $1 == last) next
    last = $1
    address[count] = $1
    names[count++] = name
}
END {
    print ".section .ksyms,\"a\""
    print ".8byte 0xffffffff80000000"
    print ".4byte " count ", 9f-8f"
    for (i = 0; i < count; i++) print ".4byte 0x" substr(address[i], 9) "-0x80000000, .Lname" i "-8f"
    print "8:"
    for (i = 0; i < count; i++) print ".Lname" i ": .asciz \"" names[i] "\""
    print "9:"
}
