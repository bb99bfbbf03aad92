-- Generated, do not edit: the globals that a hook has.
std = {
    read_globals = {
        "assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall", "rawequal",
        "rawget", "rawlen", "rawset", "select", "setmetatable", "tonumber", "tostring",
        "type", "xpcall", "_G",
        coroutine = {fields = {"create", "isyieldable", "resume", "running", "status",
            "wrap", "yield"}},
        math = {other_fields = true},
        string = {other_fields = true},
        table = {other_fields = true},
        utf8 = {other_fields = true},
    },
}
exclude_files = {"library/*.d.lua", "**/library/*.d.lua"}
max_line_length = 110
