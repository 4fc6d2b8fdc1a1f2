{# Where refreshes remember what they read, changed and proved; forgets all but the last proofs. #}
{% macro create_state() -%}
    create schema if not exists state;
    create table if not exists state.passed_tests (test_name varchar, version varchar);
    delete from state.passed_tests
    where rowid not in (select max(rowid) from state.passed_tests group by test_name)
{%- endmacro %}
