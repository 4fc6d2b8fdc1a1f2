{#
  What is to be done with a node in this refresh, from what it states (`stated_refresh`) and
  what is remembered. `how`:
    keep     neither its code nor a parent has changed;
    append   raw files came, and nothing else is new;
    keys     all parents that changed tell their changes: the keys they touch are made anew;
    whole    everything is.
  Whatever is not sure to be complete ends in `whole`. `state` is to be remembered, what lies
  under `namesakes` to be dropped: it would answer for the model.
#}
{% macro refresh_plan(sql, is_built) -%}
    {%- set stated = stated_refresh(sql) -%}
    {%- set code = code_of(sql) -%}
    {%- set found = built_state(stated.raw_table) -%}
    {%- set built = (found.built or {}) if is_built and not should_full_refresh() else {} -%}
    {%- set plan = {
        'how': 'whole',
        'stated': stated,
        'built': built,
        'is_same_code': built.code == code,
        'namesakes': found.namesakes,
        'state': {
            'code': code,
            'parents': found.parents,
            'version': local_md5(code ~ tojson(found.parents, sort_keys=true)),
        },
    } -%}
    {%- if plan.is_same_code -%}
        {%- set changed = [] -%}
        {%- for name, version in found.parents.items() if built.parents.get(name) != version -%}
            {%- do changed.append(name) -%}
        {%- endfor -%}
        {%- if not changed and found.parents | length == built.parents | length -%}
            {%- do plan.update({'how': 'keep', 'state': built}) -%}
        {%- elif stated.raw_table -%}
            {%- if only_adds_files(stated.raw_table) -%}
                {%- do plan.update({'how': 'append'}) -%}
            {%- endif -%}
        {%- elif stated.key and tell_their_changes(changed, stated.touched_by, plan) -%}
            {%- do plan.update({'how': 'keys', 'changed': changed}) -%}
        {%- endif -%}
    {%- endif -%}
    {%- do return(plan) -%}
{%- endmacro %}

{# Whether every changed parent keeps exactly the changes from the version that was read to now. #}
{% macro tell_their_changes(changed, touched_by, plan) -%}
    {%- set told = [] -%}
    {%- for name, text in rows_of(
        "select table_name[13:], comment from duckdb_tables()
        where database_name = current_database() and schema_name = 'state'
            and starts_with(table_name, 'changes_of__')"
    ) -%}
        {%- if name in changed and name in touched_by
            and fromjson(text, {}) == {'from': plan.built.parents.get(name), 'to': plan.state.parents[name]}
        -%}
            {%- do told.append(name) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- do return(told | length == changed | length) -%}
{%- endmacro %}

{#
  Whether all files that were read of a raw table are still there as they were, and the
  preflight took for new just those that were not read.
#}
{% macro only_adds_files(raw_table) -%}
    {%- set differences = rows_of(
        "with read as (from " ~ files_read_of(raw_table) ~ "),
        listed as (" ~ files_listed_of(raw_table) ~ "),
        new as (" ~ files_listed_of(raw_table, new=true) ~ ")
        select count(*) from (
            (from read except from listed)
            union all
            (from new intersect from read)
            union all
            (from listed except from read except from new)
        )"
    )[0][0] -%}
    {%- do return(differences == 0) -%}
{%- endmacro %}
