{#
  The tables into which the refresh writes what it learned from the past, between two runs of dbt
  (orchestration/outlook). Where it never did, they are empty, and nothing is said of any deal.
#}
{% macro create_outlook() -%}
    {{ return(adapter.dispatch('create_outlook', 'voronka')()) }}
{%- endmacro %}

{% macro duckdb__create_outlook() -%}
    create schema if not exists {{ target.database }}.outlook;
    {%- for table, columns in outlook_tables().items() %}
    create table if not exists {{ target.database }}.outlook.{{ table }} ({{ columns }});
    {%- endfor %}
{%- endmacro %}

{# One statement at a time, in its words. #}
{% macro spark__create_outlook() -%}
    {%- if execute -%}
    {%- set schema = env_var('VORONKA_SCHEMA_PREFIX', '') ~ 'outlook' -%}
    {%- do run_query('create schema if not exists ' ~ schema) -%}
    {%- for table, columns in outlook_tables().items() -%}
        {%- do run_query(
            'create table if not exists ' ~ schema ~ '.' ~ table ~ ' (' ~ columns.replace('varchar', 'string') ~ ')'
        ) -%}
    {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{% macro outlook_tables() -%}
    {%- set deal = 'observed_on date, deal_id varchar, pipeline_id varchar' -%}
    {%- set methods = 'model double, stage_rate double, week_end_rate double, company_rate double' -%}
    {{ return({
        'fingerprints': 'said varchar, observed_on date, fingerprint varchar',
        'curves': 'observed_on date, deal_id varchar, given_closing double, '
            'won_0 double, won_1 double, won_2 double, won_3 double, won_4 double, won_5 double, '
            'won_6 double, won_7 double',
        'predictions': deal ~ ', ' ~ methods,
        'judged': deal ~ ', ' ~ methods ~ ', is_won double, closed_on date',
        'scores': deal ~ ', stage_id varchar, method varchar, win_probability double, '
            'win_probability_low double, win_probability_high double, '
            'closes_this_month_probability double, closes_next_month_probability double, '
            'paid_in_0 double, paid_in_1 double, paid_in_2 double, median_days integer',
        'reasons': 'deal_id varchar, '
            'reason_1 varchar, reason_1_ru varchar, reason_1_en varchar, '
            'reason_2 varchar, reason_2_ru varchar, reason_2_en varchar, '
            'reason_3 varchar, reason_3_ru varchar, reason_3_en varchar',
        'backtest': 'as_of_on date, pipeline_id varchar, method varchar, deals integer, '
            'won integer, brier double, log_loss double, auc double, mean_predicted double, '
            'win_rate double',
    }) }}
{%- endmacro %}
