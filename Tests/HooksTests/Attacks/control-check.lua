-- CONTROL: strings, tables, patterns and closures within budgets.
-- expect: ok
return {
    pre_check = function(ctx, conf)
        local words = {}
        for word in ('the quick brown fox'):gmatch('%a+') do words[#words + 1] = word:upper() end
        table.sort(words)
        assert(table.concat(words, ' ') == 'BROWN FOX QUICK THE')
        ctx.log('sorted', #words)
        return { words = words }
    end,
}
