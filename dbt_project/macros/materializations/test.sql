{#
  A test, which does not run again on the tables it has passed on: what it passed on is
  remembered by the versions of all that it reads, and by its code.
#}
{% materialization test, adapter='duckdb' %}
    {%- set found = built_state() -%}
    {%- set version = local_md5(compiled_code ~ tojson(found.parents, sort_keys=true)) -%}
    {%- set has_passed = not should_full_refresh() and rows_of(
        "select count(*) from state.passed_tests
        where test_name = '" ~ model.name ~ "' and version = '" ~ version ~ "'"
    )[0][0] -%}
    {%- call statement('main', fetch_result=true) -%}
        {{ get_test_sql(
            'select 1 where false' if has_passed else get_limit_subquery_sql(compiled_code, config.get('limit')),
            config.get('fail_calc'), config.get('warn_if'), config.get('error_if'), limit=none
        ) }}
    {%- endcall -%}
    {%- if not has_passed and load_result('main').table.rows[0][0] == 0 -%}
        {%- call statement() -%}
            insert into state.passed_tests values ('{{ model.name }}', '{{ version }}')
        {%- endcall -%}
    {%- endif -%}
    {{ adapter.commit() }}
    {{ return({'relations': []}) }}
{% endmaterialization %}
