# SPDX-License-Identifier: MIT
# Turns `nm -nC kernel` into the assembly of the .ksyms table that core/symbols.cpp reads: the code symbols and one last
# entry for the end of the code. Names lose their parameter lists and whatever follows them, nothing before.

# The last balanced pair of parentheses is the parameter list; what stands before it is the name, which may hold
# parentheses of its own: operator(), a lambda's parameters, the function types among template arguments.
function without_parameters(name,    i, depth, character) {
    if (name !~ /\)( const| volatile|&|\[abi:[^]]*\]|\.[a-z0-9.]+)*$/) return name
    for (i = length(name); i > 0; i--) {
        character = substr(name, i, 1)
        if (character == ")") depth++
        else if (character == "(" && --depth == 0) break
    }
    if (i <= 1 || substr(name, 1, i - 1) ~ /(^|[ :>])operator$/) return name  # data of that name; operator() itself
    return substr(name, 1, i - 1)
}

# As the assembler reads a string.
function quoted(text,    i, character, result) {
    result = "\""
    for (i = 1; i <= length(text); i++) {
        character = substr(text, i, 1)
        if (character == "\"" || character == "\\") result = result "\\"
        result = result character
    }
    return result "\""
}

BEGIN { count = 0 }
$2 ~ /^[tTwW]$/ && length($1) == 16 && $1 >= "ffffffff80000000" {
    name = substr($0, 20)
    gsub(/ \[clone [^]]*\]/, "", name)
    gsub(/\(anonymous namespace\)::/, "", name)
    name = without_parameters(name)
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
    for (i = 0; i < count; i++) print ".Lname" i ": .asciz " quoted(names[i])
    print "9:"
}
