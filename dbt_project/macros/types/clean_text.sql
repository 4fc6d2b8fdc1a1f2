{# Text without blanks, tabs and line ends around it; NULL when nothing is left. #}
{% macro clean_text(value) -%}
    {{ return(adapter.dispatch('clean_text', 'voronka')(value)) }}
{%- endmacro %}

{% macro duckdb__clean_text(value) -%}
    {#- Trimming takes ten times as long as a look at both ends, and text is mostly clean. -#}
    case
        when ascii({{ value }}) > 32 and ascii(right({{ value }}, 1)) > 32 then {{ value }}
        else nullif(trim({{ value }}, chr(32) || chr(9) || chr(10) || chr(13)), '')
    end
{%- endmacro %}

{% macro spark__clean_text(value) -%}
    nullif(trim(both chr(32) || chr(9) || chr(10) || chr(13) from {{ value }}), '')
{%- endmacro %}
