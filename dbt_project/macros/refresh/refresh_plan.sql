{#
  How an incremental model follows its inputs in this build. `how`:
    unchanged  neither the project nor an input has changed;
    new_files  raw files came, and nothing else is new;
    keys       all inputs that changed record their changes: the keys they touch are rebuilt;
    whole      everything is.
  Whatever is not sure to be complete ends in `whole`; so does a build that nobody told which
  project it is of (VORONKA_PROJECT_VERSION), since the SQL may be another. Versions of the
  inputs are there to be recorded, unless somebody asks `only_how`: to compile a model, they need
  not be built.
#}
{% macro refresh_plan(only_how=false) -%}
    {%- set states = built_states(names_with_state()) -%}
    {%- set is_known = is_table(this) and not should_full_refresh() -%}
    {%- set built = states.get(model.name, {}) if is_known else {} -%}
    {%- set plan = {'how': 'whole', 'built': built, 'code': env_var('VORONKA_PROJECT_VERSION', '')} -%}
    {%- set may_follow = plan.code and built.code == plan.code -%}
    {%- if may_follow or not only_how -%}
        {%- do plan.update({'inputs': input_versions(states)}) -%}
    {%- endif -%}
    {%- if may_follow -%}
        {%- set changed = [] -%}
        {%- for name, version in plan.inputs.items() if built.inputs.get(name) != version -%}
            {%- do changed.append(name) -%}
        {%- endfor -%}
        {%- do plan.update({'changed': changed}) -%}
        {%- if not changed and plan.inputs | length == built.inputs | length -%}
            {%- do plan.update({'how': 'unchanged'}) -%}
        {%- elif config.get('materialized') == 'new_files' -%}
            {%- if only_adds_files(changed[0]) -%}
                {%- do plan.update({'how': 'new_files'}) -%}
            {%- endif -%}
        {%- elif config.get('materialized') == 'touched_keys' and record_their_changes(changed, states, plan) -%}
            {%- do plan.update({'how': 'keys'}) -%}
        {%- endif -%}
    {%- endif -%}
    {%- do return(plan) -%}
{%- endmacro %}

{# Whether every changed input records exactly the changes from the version that was read to now. #}
{% macro record_their_changes(changed, states, plan) -%}
    {%- set terms = refresh_terms() -%}
    {%- set recorded = [] -%}
    {%- for name in changed
        if name in terms.touched_by and name in plan.built.inputs and name in states
        and states[name].changes_from == plan.built.inputs[name] -%}
        {%- do recorded.append(name) -%}
    {%- endfor -%}
    {%- do return(recorded | length == changed | length) -%}
{%- endmacro %}

{# Whether a relation is there, as a table. #}
{% macro is_table(relation) -%}
    {{ return(adapter.dispatch('is_table', 'voronka')(relation)) }}
{%- endmacro %}

{% macro duckdb__is_table(relation) -%}
    {%- do return(rows_of(
        "select count(*) from duckdb_tables() where database_name = '" ~ relation.database ~ "'
            and schema_name = '" ~ relation.schema ~ "' and table_name = '" ~ relation.identifier ~ "'"
    )[0][0] == 1) -%}
{%- endmacro %}

{% macro spark__is_table(relation) -%}
    {%- set found = load_cached_relation(relation) -%}
    {%- do return(found is not none and found.type == 'table') -%}
{%- endmacro %}
