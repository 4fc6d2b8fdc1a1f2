-- How far each evaluator agrees with people: one row per evaluator that is not a person and
-- criterion, over the calls that both judged.

with pairs as (

    select * from {{ ref('int_evaluations__compared') }}

),

-- Sums of squares and products are wide enough for 10^11 calls, and no product of two of them has
-- more than 38 digits, beyond which engines drop the last ones.
counts as (

    select
        evaluator,
        criterion,
        count(*) filter (where is_judged) as judged_calls,
        count(score) + count(is_met) as compared_calls,
        cast(count(score) as decimal(11, 0)) as scored_calls,
        cast(sum(score - person_score) as decimal(38, 4)) as score_difference,
        cast(sum(abs(score - person_score)) as decimal(38, 4)) as score_distance,
        cast(sum(score) as decimal(18, 4)) as scores,
        cast(sum(person_score) as decimal(18, 4)) as person_scores,
        cast(sum(score * person_score) as decimal(25, 8)) as products,
        cast(sum(score * score) as decimal(25, 8)) as squares,
        cast(sum(person_score * person_score) as decimal(25, 8)) as person_squares,
        count(*) filter (where is_met and person_is_met) as met_by_both,
        count(*) filter (where is_met and not person_is_met) as met_by_evaluator_only,
        count(*) filter (where not is_met and person_is_met) as met_by_person_only,
        count(*) filter (where not is_met and not person_is_met) as met_by_neither
    from pairs
    group by 1, 2

),

shares as (

    select
        *,
        criterion = 'score' as is_score,
        met_by_both + met_by_neither as agreed_calls,
        compared_calls * compared_calls as all_pairs,
        -- How many of these pairs would agree, were the two independent.
        (met_by_both + met_by_evaluator_only) * (met_by_both + met_by_person_only)
        + (met_by_neither + met_by_person_only) * (met_by_neither + met_by_evaluator_only)
            as agreeing_pairs,
        scored_calls * products - scores * person_scores as covariance,
        sqrt(cast(scored_calls * squares - scores * scores as double)) as spread,
        sqrt(cast(scored_calls * person_squares - person_scores * person_scores as double))
            as person_spread
    from counts

),

final as (

    select
        evaluator,
        criterion,
        judged_calls,
        compared_calls,
        score_difference,
        {{ ratio('score_difference', 'compared_calls') }} as mean_score_difference,
        score_distance,
        {{ ratio('score_distance', 'compared_calls') }} as mean_score_distance,
        {{ ratio('covariance', 'spread * person_spread') }} as score_correlation,
        case when not is_score then agreed_calls end as agreed_calls,
        case when not is_score then met_by_both end as met_by_both,
        case when not is_score then met_by_evaluator_only end as met_by_evaluator_only,
        case when not is_score then met_by_person_only end as met_by_person_only,
        case when not is_score then met_by_neither end as met_by_neither,
        case when not is_score then {{ ratio('agreed_calls', 'compared_calls') }} end as agreement,
        case
            when not is_score
                then {{ ratio(
                    'compared_calls * agreed_calls - agreeing_pairs', 'all_pairs - agreeing_pairs'
                ) }}
        end as kappa
    from shares

)

select * from final
