-- Files.
-- expect: error nil value
return {
    pre_check = function(ctx, conf)
        io.open('/etc/passwd')
        return true
    end,
}
