-- Modules, and through them any library of the machine.
-- expect: error nil value
return {
    pre_check = function(ctx, conf)
        require('socket')
        return true
    end,
}
